"""The verbs where a record key is set, and where somebody without it has written to the store."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.pins import Pin
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import lock_name, pin_name
from tests.cli.terminal import EAST, Terminal, write_future
from tests.keyed import KEY, OTHER_KEY


def with_key(terminal: Terminal, key: str = KEY) -> None:
    terminal.settings["record_key"] = {"env": "RECORD_KEY"}
    terminal.environment["RECORD_KEY"] = key


def without_key(terminal: Terminal) -> None:
    terminal.settings.pop("record_key", None)


def as_attacker(terminal: Terminal, do: Callable[[AzureStore], Awaitable[object]]) -> None:
    """Do something to the store without any key."""

    async def act() -> None:
        async with AzureStore.from_connection_string("local", terminal.connection_string) as store:
            await do(store)

    asyncio.run(act())


@pytest.mark.slow  # starts many processes
def test_turning_the_key_on(terminal: Terminal) -> None:
    """What was there is unauthentic until it is accepted; pins of before too."""
    terminal.east.fill("notes", 10)
    old = terminal.back_up("notes")
    assert terminal.indexvault("pin", old, "--reason", "audit").code == 0
    with_key(terminal)

    listed = terminal.indexvault("snapshots", f"{EAST}/notes", "--json").records
    assert [record["authenticity"] for record in listed] == ["unauthentic"]
    latest = terminal.indexvault("verify", f"{EAST}/notes@latest")
    assert (latest.code, "not authentic: only by its id" in latest.error_line) == (4, True)
    by_id = terminal.indexvault("verify", old)
    assert by_id.code == 6
    assert "sound" in by_id.stdout
    assert "not authentic" in by_id.stdout
    assert "no record key has signed it" in by_id.error_line
    refused = terminal.indexvault("restore", old, "--to", "contoso-west")
    assert (refused.code, "--accept-unauthentic" in refused.error_line) == (6, True)
    checked = terminal.indexvault("check")
    assert checked.code == 0
    (warned,) = [line for line in checked.stdout.splitlines() if line.startswith("warn ")]
    assert f"not authentic, such as {old}" in warned
    assert KEY not in checked.stdout

    assert "not authentic" in terminal.indexvault("accept", EAST).stdout
    assert terminal.indexvault("accept", f"{EAST}/notes@latest").code == 2
    assert terminal.indexvault("accept", f"{EAST}/notes@20200101T000000Z-000000").code == 4
    assert terminal.indexvault("accept", old).code == 0
    accepted = terminal.indexvault("verify", f"{EAST}/notes@latest")
    assert (accepted.code, "accepted" in accepted.stdout) == (0, True)

    kept = terminal.indexvault("records", "local")
    assert kept.code == 1
    assert f"pins/{EAST}/notes/" in kept.stdout
    assert terminal.indexvault("records", "local", "--accept", "open/").code == 2
    settled = terminal.indexvault("records", "local", "--accept", "pins/", "--accept", "known/", "--delete", "locks/")
    assert settled.code == 0, settled.stdout
    assert terminal.indexvault("check").stdout.count("warn ") == 0

    new = terminal.back_up("notes")
    shown = terminal.indexvault("show", new, "--json").records[0]
    assert shown["authenticity"] == "authentic"
    assert "yes, signed with a record key" in terminal.indexvault("show", new).stdout
    assert terminal.indexvault("restore", f"{EAST}/notes@latest", "--to", "contoso-west").code == 0


def test_an_attacker_without_the_key(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    with_key(terminal)
    genuine = terminal.back_up("notes")
    forged = write_future(terminal.connection_string, "notes")
    as_attacker(terminal, lambda store: store.runs.put(lock_name(EAST, "notes"), b'{"expires":"9999"}'))
    snapshot = genuine.partition("@")[2]
    pinned = Pin(since=datetime(2026, 11, 20, tzinfo=UTC))
    as_attacker(terminal, lambda store: RecordStore(store.runs, Pin).write(pin_name(EAST, "notes", snapshot), pinned))

    assert terminal.indexvault("verify", f"{EAST}/notes@latest", "--json").records[0]["reference"] == genuine
    listed = terminal.indexvault("snapshots", f"{EAST}/notes").stdout
    assert f"{forged} is not authentic" in listed
    whole = terminal.indexvault("verify", f"{EAST}/notes", "--json")
    assert whole.code == 6
    assert whole.records[0]["authenticity"] == {
        snapshot: "authentic",
        forged.partition("@")[2]: "unauthentic",
    }
    foreign = {record["blob"] for record in terminal.indexvault("records", "local", "--json").records}
    assert foreign == {lock_name(EAST, "notes"), pin_name(EAST, "notes", snapshot)}
    # The forged lock keeps nobody out.
    assert terminal.back_up("notes")
    assert "tampering: " in terminal.results[-1].stderr


def test_another_key_and_none(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    with_key(terminal)
    made = terminal.back_up("notes")
    with_key(terminal, OTHER_KEY)
    assert terminal.indexvault("verify", made).code == 6
    with_key(terminal, f"{OTHER_KEY},{KEY}")
    assert terminal.indexvault("verify", made).code == 0
    without_key(terminal)
    assert terminal.indexvault("verify", made).code == 0
    refused = terminal.indexvault("backup", EAST, "notes")
    assert (refused.code, "these settings have no record_key" in refused.error_line) == (2, True)
    with_key(terminal, "short")
    broken = terminal.indexvault("check")
    assert broken.code == 2
    assert "openssl rand -hex 32" in broken.stdout
    assert "short" not in broken.stdout
