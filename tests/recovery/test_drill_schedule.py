"""Drills are started when they are due, once, and their items are chosen when the run begins."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.errors import SettingsError
from indexvault.recovery.drill import choose
from indexvault.recovery.drill_schedule import drill_run, tick_drills
from indexvault.settings.load import read_settings
from indexvault.settings.model import DrillSettings
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.runs import RunRecord, Runs, cancelled
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, Calendar, open_world

WEEKLY = DrillSettings(service=EAST, target=WEST, schedule="0 0 5 * * 0")
SUNDAY = datetime(2026, 11, 22, 5, tzinfo=UTC)


class StartedRuns(DurableEngine):
    """Takes every run, and does nothing with it."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def start(self, workflow: str, order: Any) -> bool:
        self.taken.append(f"{workflow} {order.run}")
        return True

    async def state(self, run: str) -> Any:
        return "active" if any(each.endswith(run) for each in self.taken) else "unknown"


async def test_a_drill_is_started_once_when_it_is_due() -> None:
    clock, engine = Calendar(SUNDAY + timedelta(minutes=3)), StartedRuns()
    async with open_world(MemoryStore(), clock=clock) as world:
        settings = replace(world.clients.settings, drills={"weekly": WEEKLY})
        world.clients.settings = settings
        resources = dataclasses.replace(world.resources, clock=clock)
        run = drill_run("weekly", SUNDAY)
        assert await tick_drills(resources, engine) == [run]
        assert await tick_drills(resources, engine) == []
        assert engine.taken == [f"run_drill {run}"]
        clock.now += timedelta(days=7)
        assert await tick_drills(resources, engine) == []  # the last one has not ended
        runs = Runs(world.store.runs)
        await runs.change(run, lambda record: cancelled(record, clock.now))
        assert await tick_drills(resources, engine) == [drill_run("weekly", SUNDAY + timedelta(days=7))]


def test_every_index_with_snapshots_is_an_item() -> None:
    record = RunRecord(
        run=drill_run("weekly", SUNDAY),
        kind="drill",
        workflow="run_drill",
        service=EAST,
        asked="",
        owner="drill weekly",
        created=SUNDAY,
        drill="weekly",
    )
    chosen = choose(record, ["hotels", "rooms"], {"weekly": WEEKLY})
    assert [(item.index.index, item.job.target_service) for item in chosen.items] == [("hotels", WEST), ("rooms", WEST)]
    assert choose(record, ["hotels"], {}) == record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": "contoso-wset"}, "no service is named 'contoso-wset'"),
        ({"recovery_time": "PT10S"}, "a minute or more"),
        ({"overlay": "none"}, "no overlay is named 'none'"),
        ({"schedule": "often"}, "schedule"),
        ({"queries": [{"top": 0}]}, "queries"),
    ],
)
def test_settings_that_make_no_drill_are_refused(change: dict[str, Any], said: str) -> None:
    service = {"endpoint": "https://x.search.windows.net", "region": "eastus", "tier": "basic", "store": "east"}
    drill = {"service": "contoso-east", "target": "contoso-east", "schedule": "0 0 5 * * 0"} | change
    text = {
        "stores": {"east": {"account_url": "https://x.blob.core.windows.net", "region": "eastus"}},
        "services": {"contoso-east": service},
        "drills": {"weekly": drill},
    }

    with pytest.raises(SettingsError) as raised:
        read_settings(msgspec.json.encode(text))
    assert said in str(raised.value)
