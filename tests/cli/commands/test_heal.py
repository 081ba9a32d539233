"""Fields that a killed backup left revealed are hidden again."""

import subprocess
from typing import Any

from tests.cli.terminal import EAST, VERSION, Terminal, await_request


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def retrievable(terminal: Terminal) -> Any:
    fields = terminal.east.call("GET", f"/indexes/notes?api-version={VERSION}")["fields"]
    return {field["name"]: field["retrievable"] for field in fields}["text"]


def test_fields_that_a_killed_backup_revealed_are_hidden_by_heal(terminal: Terminal) -> None:
    terminal.east.fill("notes", 50, retrievable=False)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 3600, "skip": 1})
    process = terminal.start("backup", EAST, "notes", "--hidden-fields", "reveal")
    await_request(process, terminal.east, "search", 2)
    assert retrievable(terminal) is True
    kill(process)
    terminal.east.faults()
    healed = terminal.indexvault("heal")
    assert healed.code == 0, healed.stderr
    assert healed.stdout == "contoso-east/notes: hidden again: text\n"
    assert retrievable(terminal) is False
    assert terminal.indexvault("heal").stdout == "Nothing to heal\n"


def test_the_next_backup_hides_them_too(terminal: Terminal) -> None:
    terminal.east.fill("notes", 50, retrievable=False)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 3600, "skip": 1})
    process = terminal.start("backup", EAST, "notes", "--hidden-fields", "reveal")
    await_request(process, terminal.east, "search", 2)
    kill(process)
    terminal.east.faults()
    result = terminal.indexvault("backup", EAST, "notes", "--json")
    assert result.code == 3, result.stderr
    assert retrievable(terminal) is False


def test_a_killed_backup_that_was_unlocked_is_healed_and_resumes(terminal: Terminal) -> None:
    terminal.east.fill("notes", 50, retrievable=False)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 3600, "skip": 1})
    process = terminal.start("backup", EAST, "notes", "--hidden-fields", "reveal")
    await_request(process, terminal.east, "search", 2)
    kill(process)
    terminal.east.faults()
    assert terminal.indexvault("unlock", f"{EAST}/notes", "--json").records[0]["lock"] == "unlocked"
    healed = terminal.indexvault("heal")
    assert healed.code == 0, healed.stderr
    assert retrievable(terminal) is False
    terminal.indexvault("unlock", f"{EAST}/notes")
    result = terminal.indexvault("backup", EAST, "notes")
    assert result.code == 3, result.stderr
    assert "resuming the interrupted run" in result.stderr
