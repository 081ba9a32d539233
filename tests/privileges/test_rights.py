"""Each operation uses the rights that docs/security.md says it needs, and no others."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from indexvault.cli.parser import parse
from indexvault.cli.run import run
from tests.azurite import Azurite
from tests.cli.terminal import EAST, WEST, Terminal, delete_blob, open_terminal
from tests.privileges.recorder import Recorder, Rights, recorded_service, recorded_store

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
COLUMNS = ("source", "target", "store snapshots", "store runs", "replica snapshots", "replica runs")


@dataclass(frozen=True)
class Ground:
    """A terminal whose every request is recorded."""

    terminal: Terminal
    recorder: Recorder
    environment: dict[str, str]
    account: str

    def say(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        stdout, stderr = io.StringIO(), io.StringIO()
        code = run(parse(arguments), self.environment, stdout=stdout, stderr=stderr)
        assert code in codes, stdout.getvalue() + stderr.getvalue()
        return stdout.getvalue()

    def used(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Rights:
        """Run a command and return the rights that it used."""
        self.recorder.take()
        self.say(*arguments, codes=codes)
        return self.recorder.take()


@pytest.fixture(scope="module")
def ground(azurite: Azurite) -> Iterator[Ground]:
    with ExitStack() as stack:
        account, replica = azurite.new_account(), azurite.new_account()
        terminal = stack.enter_context(open_terminal(account))
        recorder = Recorder()
        settings = json.loads(json.dumps(terminal.settings))
        for on, name in (("source", EAST), ("target", WEST)):
            of_service = settings["services"][name]
            of_service["endpoint"] = stack.enter_context(recorded_service(recorder, on, of_service["endpoint"]))
        settings["stores"]["second"] = {"connection_string": {"env": "SECOND"}, "region": "local"}
        settings["policies"] = {
            "nightly": {"service": EAST, "schedule": "0 0 2 * * *", "keep": {"last": 1}, "replicate_to": ["second"]}
        }
        environment = {
            **terminal.environment,
            "INDEXVAULT_CONFIG": json.dumps(settings),
            "STORE": stack.enter_context(recorded_store(recorder, "store", account)),
            "SECOND": stack.enter_context(recorded_store(recorder, "replica", replica)),
        }
        terminal.east.fill("notes", 120)
        opened = Ground(terminal, recorder, environment, account)
        # Makes the containers, which the deployment does otherwise.
        opened.say("backup", EAST, "notes")
        opened.say("replicate", f"{EAST}/notes")
        yield opened


def _backup(ground: Ground) -> Rights:
    ground.terminal.east.change("notes", {"id": "000002", "text": "changed"})
    return ground.used("backup", EAST, "notes")


def _reveal(ground: Ground) -> Rights:
    ground.terminal.east.fill("hidden", 3, retrievable=False)
    return ground.used("backup", EAST, "hidden", "--hidden-fields", "reveal")


FIRST = "a-first"
"""An index whose blobs come first in the store, where the test damages them."""


def _replicated(ground: Ground) -> None:
    if FIRST not in ground.terminal.east.indexes:
        ground.terminal.east.fill(FIRST, 20)
        ground.say("backup", EAST, FIRST)
        ground.say("replicate", f"{EAST}/{FIRST}")


def _replicate(ground: Ground) -> Rights:
    ground.terminal.east.change("notes", {"id": "000003", "text": "changed"})
    ground.say("backup", EAST, "notes")
    return ground.used("replicate", f"{EAST}/notes")


def _repair(ground: Ground) -> Rights:
    _replicated(ground)
    assert FIRST in delete_blob(ground.account, ".jsonl.gz")
    return ground.used("repair", f"{EAST}/{FIRST}")


def _replace_damaged(ground: Ground) -> Rights:
    _replicated(ground)
    assert FIRST in ground.terminal.flip_byte(".jsonl.gz")
    return ground.used("repair", f"{EAST}/{FIRST}")


_TURNS = count()


def _new_snapshot(ground: Ground) -> None:
    """Make a snapshot that no replica has, whichever operations came before: a restore holds it in those that do."""
    ground.terminal.east.change("notes", {"id": "000004", "text": f"changed {next(_TURNS)}"})
    ground.say("backup", EAST, "notes")


def _create(ground: Ground) -> Rights:
    _new_snapshot(ground)
    return ground.used("restore", LATEST, "--to", f"{WEST}/created")


def _sync(ground: Ground) -> Rights:
    _new_snapshot(ground)
    ground.say("restore", f"{EAST}/notes@latest", "--to", f"{WEST}/synced")
    ground.terminal.west.change("synced", {"@search.action": "delete", "id": "000001"})
    return ground.used("restore", f"{EAST}/notes@latest", "--to", f"{WEST}/synced", "--mode", "sync")


def _prune(ground: Ground) -> Rights:
    ground.terminal.east.change("notes", {"id": "000001", "text": "changed"})
    ground.say("backup", EAST, "notes")
    ground.say("replicate", f"{EAST}/notes")
    ground.terminal.east.change("notes", {"id": "000001", "text": "changed again"})
    ground.say("backup", EAST, "notes")
    return ground.used("prune", f"{EAST}/notes", "--yes")


def _delete(ground: Ground) -> Rights:
    made = [ground.terminal.back_up("notes") for _ in range(2)]
    ground.say("replicate", f"{EAST}/notes")
    return ground.used("delete", made[0], "--yes")


def _move(ground: Ground) -> Rights:
    ground.terminal.east.fill("moved", 20)
    return ground.used("move", f"{EAST}/moved", "--to", f"{WEST}/moved")


def _move_away(ground: Ground) -> Rights:
    ground.terminal.east.fill("gone", 20)
    return ground.used("move", f"{EAST}/gone", "--to", f"{WEST}/gone", "--delete-source")


def _verb(*arguments: str) -> Callable[[Ground], Rights]:
    return lambda ground: ground.used(*arguments)


LATEST = f"{EAST}/notes@latest"
OPERATIONS: dict[str, Callable[[Ground], Rights]] = {
    "backup": _backup,
    "backup --hidden-fields reveal": _reveal,
    "snapshots, show": lambda ground: _both(ground.used("snapshots", f"{EAST}/notes"), ground.used("show", LATEST)),
    "verify": _verb("verify", LATEST),
    "find, diff": lambda ground: _both(
        ground.used("find", f"{EAST}/notes", "000001"), ground.used("diff", LATEST, LATEST)
    ),
    "restore --mode create": _create,
    "restore --mode sync": _sync,
    "move": _move,
    "move --delete-source": _move_away,
    "replicate": _replicate,
    "pin, unpin": lambda ground: _both(ground.used("pin", LATEST), ground.used("unpin", LATEST)),
    "repair of missing blobs": _repair,
    "repair of damaged blobs": _replace_damaged,
    "prune": _prune,
    "delete": _delete,
}


def _both(*used: Rights) -> Rights:
    return {on: set().union(*(rights.get(on, set()) for rights in used)) for on in COLUMNS}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_uses_the_rights_that_are_documented(ground: Ground, operation: str) -> None:
    used = OPERATIONS[operation](ground)
    assert {on: used.get(on, set()) for on in COLUMNS} == documented()[operation]


def documented() -> dict[str, Rights]:
    """Return the table of rights of the page."""
    table: dict[str, Rights] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        operation = cells[0].replace("`", "")
        if operation in OPERATIONS and len(cells) == len(COLUMNS) + 1:
            rights = [set(filter(None, re.split(r",\s*", cell.replace("none", "")))) for cell in cells[1:]]
            table[operation] = dict(zip(COLUMNS, rights, strict=True))
    return table


def test_a_backup_needs_no_right_to_change_what_is_stored() -> None:
    rights = documented()["backup"]
    assert rights["store snapshots"] <= {"list", "read", "add"}
    assert rights["source"] <= {"read definitions", "read documents"}


def test_reading_needs_no_right_to_write_anything() -> None:
    for operation in ("verify", "find, diff", "snapshots, show"):
        assert set().union(*documented()[operation].values()) <= {"list", "read"}
