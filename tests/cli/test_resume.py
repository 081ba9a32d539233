"""Which run a command resumes."""

import os
import socket
from datetime import UTC, datetime
from typing import cast

import pytest

from indexvault.cli.resume import begin_backup, end_backup
from indexvault.cli.session import Session
from indexvault.model import IndexName
from indexvault.workflow.lock import Lock
from indexvault.workflow.lock_holder import LocalProcess
from indexvault.workflow.unfinished import read_unfinished
from tests.memory_store import MemoryStore

HOTELS = IndexName("contoso-east", "hotels")
NO_PROCESS = 2**22 + 1
"""Above the largest process id that Linux gives. Source: proc(5), /proc/sys/kernel/pid_max."""


class Commands:
    """What `begin_backup` needs of a session."""

    def __init__(self) -> None:
        self.begun = 0

    def clock(self) -> datetime:
        return datetime(2026, 11, 20, 2, self.begun, tzinfo=UTC)

    def new_run(self, kind: str) -> str:
        self.begun += 1
        return f"{kind}-{self.begun}"


async def test_of_two_commands_at_once_one_resumes_a_killed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    session = cast("Session", Commands())
    dead = LocalProcess(socket.gethostname(), NO_PROCESS, session.clock())
    async with MemoryStore() as store:
        await store.prepare()
        killed = Lock(store.runs, HOTELS, run="killed", owner="a test", clock=session.clock, process=dead)
        await killed.take()
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", os.getppid)
            assert (await begin_backup(session, store, HOTELS))[:2] == ("killed", True)
        # The other one has yet to take the lock.
        assert (await begin_backup(session, store, HOTELS))[:2] == ("backup-1", False)
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", os.getppid)
            await killed.release(ended=True)
            await end_backup(store, HOTELS, "killed")
        assert await read_unfinished(store.runs, HOTELS) is None
