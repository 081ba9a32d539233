"""A pair's standby is brought on by hand; after an unplanned failover only with a yes."""

import asyncio
import random

import msgspec
import pytest

from indexvault.clients import Clients
from indexvault.settings.load import read_settings
from indexvault.snapshots.roles import PairRole, create_role
from tests.azurite import Azurite
from tests.cli.terminal import EAST, WEST, Terminal


@pytest.fixture
def pair(terminal: Terminal, azurite: Azurite) -> Terminal:
    """Make a pair of the two services, each with a store."""
    terminal.environment["SECOND"] = azurite.new_account()
    region = terminal.settings["services"][WEST]["region"]
    terminal.settings["stores"]["second"] = {"connection_string": {"env": "SECOND"}, "region": region}
    terminal.settings["services"][WEST]["store"] = "second"
    terminal.settings["policies"] = {"hourly": {"service": EAST, "schedule": "0 0 * * * *", "replicate_to": ["second"]}}
    terminal.settings["pairs"] = {
        "contoso": {
            "primary": EAST,
            "standby": WEST,
            "recovery_point": "PT2H",
            "recovery_time": "PT30M",
            "allow_cross_region": True,
        }
    }
    return terminal


def set_role(terminal: Terminal, role: PairRole) -> None:
    """Write a role to both stores, as a failover does."""

    async def write() -> None:
        settings = read_settings(msgspec.json.encode(terminal.settings), terminal.environment)
        async with Clients(settings, environment=terminal.environment, rng=random.Random(1)) as clients:
            for service in (EAST, WEST):
                store = clients.store_of(service)
                await store.prepare()
                await create_role(store.runs, role)

    asyncio.run(write())


def test_the_standby_is_made_followed_and_then_has_nothing_to_do(pair: Terminal) -> None:
    pair.east.fill("notes", 60)
    made = pair.back_up("notes")
    planned = pair.indexvault("follow", "contoso", "--dry-run")
    assert (planned.code, pair.west.indexes) == (0, [])
    assert f"would bring {WEST}/notes to {made.partition('@')[2]}" in planned.stdout
    told = pair.indexvault("follow", "contoso", "--json")
    assert told.code == 0, told.stderr
    assert [each["event"] for each in told.records] == ["following", "followed", "standby"]
    assert (told.records[1]["documents"], told.records[1]["created"]) == (60, True)
    again = pair.indexvault("follow", "contoso")
    assert again.stdout.splitlines()[-1] == f"nothing is newer than what {WEST} has"
    assert pair.indexvault("follow", "none").code == 4


def test_nothing_is_overwritten_after_an_unplanned_failover_without_a_yes(pair: Terminal) -> None:
    pair.east.fill("notes", 20)
    pair.back_up("notes")
    assert pair.indexvault("follow", "contoso").code == 0
    pair.east.fill("notes", 23)  # three that no snapshot has
    set_role(
        pair, PairRole(pair="contoso", generation=1, active=WEST, run="failover-1", planned=False, following=False)
    )
    pair.settings["policies"]["west"] = {"service": WEST, "schedule": "0 0 * * * *", "replicate_to": ["local"]}
    assert pair.indexvault("backup", WEST, "notes").code == 0

    refused = pair.indexvault("follow", "contoso")
    assert (refused.code, "Add --yes" in refused.error_line) == (2, True)
    shown = pair.indexvault("follow", "contoso", "--dry-run")
    assert shown.code == 0, shown.stderr
    assert f"notes: 3 documents only on {EAST}, 0 with other values there, 0 that it lacks" in shown.stdout
    done = pair.indexvault("follow", "contoso", "--yes")
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{EAST} is as the newest snapshots are"
    assert pair.indexvault("compare", f"{EAST}/notes", f"{WEST}/notes").code == 0
    # It stays on.
    assert pair.indexvault("follow", "contoso").stdout.splitlines()[0] == f"pair contoso: {EAST} follows {WEST}"
