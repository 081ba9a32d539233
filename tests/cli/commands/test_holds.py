import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.holds import Hold, place_hold
from indexvault.snapshots.names import SnapshotReference
from tests.cli.terminal import EAST, Terminal


def hold(connection_string: str, reference: str, since: datetime) -> None:
    wanted = Hold(
        run="restore-1",
        kind="restore",
        target="contoso-west/notes",
        since=since,
        store="local",
        state="restores/contoso-west/notes.json",
    )

    async def write() -> None:
        async with AzureStore.from_connection_string("local", connection_string) as store:
            assert await place_hold(store, SnapshotReference.parse(reference), wanted, since)

    asyncio.run(write())


@pytest.mark.slow  # starts many processes
def test_who_needs_a_snapshot_is_told_by_every_listing(terminal: Terminal, storage_account: str) -> None:
    terminal.east.fill("notes", 40)
    made = terminal.back_up("notes")
    hold(storage_account, made, datetime.now(UTC))
    needs = "an unfinished restore into contoso-west/notes (run restore-1) needs it"
    shown = terminal.indexvault("show", made)
    assert needs in " ".join(shown.stdout.split())
    assert needs in " ".join(terminal.indexvault("snapshots", f"{EAST}/notes").stdout.split())
    for command in (("snapshots",), ("snapshots", EAST), ("show", made)):
        (record,) = terminal.indexvault(*command, "--json").records
        assert [each["run"] for each in record["held"]] == ["restore-1"]
    (decision, _pruned, _total) = terminal.indexvault("prune", f"{EAST}/notes", "--dry-run", "--json").records
    assert needs in decision["reasons"]


@pytest.mark.slow  # starts many processes
def test_a_hold_that_has_expired_is_told_no_more(terminal: Terminal, storage_account: str) -> None:
    terminal.east.fill("notes", 40)
    made = terminal.back_up("notes")
    hold(storage_account, made, datetime.now(UTC) - timedelta(days=2))
    assert "needs it" not in terminal.indexvault("snapshots").stdout
    assert "held" not in terminal.indexvault("show", made, "--json").records[0]
