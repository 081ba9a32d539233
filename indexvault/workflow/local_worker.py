"""The worker that runs activities and workflows for the backend in this process."""

import asyncio
import contextlib
import logging
from typing import override

from durabletask.worker import ConcurrencyOptions, TaskHubGrpcWorker, _AsyncWorkerManager

from indexvault.workflow.local_backend import ACTIVITIES_AT_ONCE

_END_SECONDS = 5
"""How long the worker waits for the stream of work to end before it breaks it off."""


class PromptWorker(TaskHubGrpcWorker):
    """A worker that stops as soon as it is asked to.

    The library's own checks once a second, which every command would wait for.
    """

    def __init__(self, address: str, logger: logging.Logger) -> None:
        options = ConcurrencyOptions(
            maximum_concurrent_activity_work_items=ACTIVITIES_AT_ONCE,
            maximum_concurrent_orchestration_work_items=4,
            maximum_thread_pool_workers=ACTIVITIES_AT_ONCE + 4,
        )
        super().__init__(host_address=address, logger=logger, emit_trace_spans=False, concurrency_options=options)
        self._async_worker_manager = _PromptManager(options, logger)

    @override
    def stop(self) -> None:
        """Stop after the backend has ended the stream of work: the library would break it off and log a warning."""
        self._shutdown.set()
        if self._runLoop is not None:
            self._runLoop.join(_END_SECONDS)
        super().stop()  # type: ignore[no-untyped-call]  # the library leaves it untyped


class _PromptManager(_AsyncWorkerManager):
    """The library's queues of work, which stop waiting for more on shutdown."""

    _queues: asyncio.Task[None] | None = None

    @override
    async def run(self) -> None:
        self._queues = asyncio.current_task()
        with contextlib.suppress(asyncio.CancelledError):
            await super().run()

    @override
    def shutdown(self) -> None:
        super().shutdown()
        if self._queues is not None and not self._queues.done():
            self._queues.cancel()
