"""The in-memory backend of the embedded engine, on a socket that only this user can open."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import override

import grpc
from durabletask.internal import orchestrator_service_pb2_grpc as wire
from durabletask.testing import InMemoryOrchestrationBackend

ACTIVITIES_AT_ONCE = 16
"""Activities that run concurrently in this process, at most."""
_LONGEST_FOLDER = 64
"""Bytes. The whole path of a socket has at most 108 on Linux and fewer elsewhere. Source: unix(7), 2026-09."""


class PrivateBackend(InMemoryOrchestrationBackend):
    """The in-memory backend behind a socket that only this user can open; the library's own listens on a TCP port."""

    @override
    def start(self) -> str:
        self._shutdown_event.clear()
        self._folder = tempfile.TemporaryDirectory(prefix="indexvault-", dir=_socket_folder())
        address = f"unix:{Path(self._folder.name) / 'engine.sock'}"
        self._server = grpc.server(ThreadPoolExecutor(max_workers=ACTIVITIES_AT_ONCE + 8))
        wire.add_TaskHubSidecarServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]  # generated
        self._server.add_insecure_port(address)
        self._server.start()
        return address

    def end_work(self) -> None:
        """Hand out no more work, so that a worker's stream of it ends and need not be broken off."""
        self._shutdown_event.set()
        self._work_available.set()

    @override
    def stop(self, grace: float | None = None) -> None:
        super().stop(grace)
        # Wakes the threads that still wait for a run to end: the process would wait for them when it exits.
        self.reset()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self._folder.cleanup()


def _socket_folder() -> str:
    """Return the folder for temporary files, or /tmp if a socket's path would be too long there."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108 - the folder in it is ours alone
