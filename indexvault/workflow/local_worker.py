"""The worker that takes steps and workflows from the backend in this process."""

import asyncio
import contextlib
import logging
from typing import override

from durabletask.worker import ConcurrencyOptions, TaskHubGrpcWorker, _AsyncWorkerManager

from indexvault.workflow.local_backend import ACTIVITIES_AT_ONCE

_END_SECONDS = 5
"""How long the stream of work may take to end before it is broken off."""


class PromptWorker(TaskHubGrpcWorker):
    """A worker that ends when it is told to.

    The library's own looks once a second whether it is to end, which every command line would wait for.
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
        """End, once the backend has ended the stream of work: the library would break it off, and warn of that."""
        self._shutdown.set()
        if self._runLoop is not None:
            self._runLoop.join(_END_SECONDS)
        super().stop()  # type: ignore[no-untyped-call]  # the library leaves it untyped


class _PromptManager(_AsyncWorkerManager):
    """The library's queues of work, which no longer wait for more once there will be none."""

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
