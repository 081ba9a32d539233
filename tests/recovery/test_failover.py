"""A failover with the other region gone: to the newest snapshots in reach, proved, and swapped once."""

import time
from datetime import timedelta

import pytest

from tests.recovery.failover_world import (
    fill_notes,
    open_failover,
)
from tests.world import EAST, WEST, quick_rests

__all__ = ["quick_rests"]


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
async def test_a_failover_with_service_and_store_of_the_other_region_gone(hangs: bool) -> None:  # noqa: FBT001
    async with open_failover() as opened:
        await fill_notes(opened)
        snapshot = await opened.back_up()
        opened.clock.now += timedelta(minutes=42)
        await opened.kill_east(hangs=hangs)
        started = time.monotonic()
        report = await opened.fail_over()
        assert time.monotonic() - started < 60
        assert (report.source, report.to, report.generation, report.planned) == (EAST, WEST, 1, False)
        [brought] = report.indexes
        assert (brought.outcome, brought.snapshot, brought.documents) == ("brought", snapshot, 400)
        assert brought.age == timedelta(minutes=43)
        assert report.window == timedelta(minutes=43)
        assert report.keeps_point
        assert report.unread == ["local"]
        assert not report.following
        role = await opened.role()
        assert (role.active, role.generation, role.run, role.window) == (WEST, 1, "failover-1", timedelta(minutes=43))
        assert len(await opened.documents(WEST)) == 400
        await opened.revive_east()
        assert await opened.role_in(EAST) is None
