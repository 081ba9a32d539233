"""`indexvault move` as a process."""

import pytest

from tests.cli.terminal import EAST, WEST, Terminal


@pytest.mark.slow  # starts many processes
def test_a_dry_run_says_what_would_be_done_and_does_nothing(terminal: Terminal) -> None:
    terminal.east.fill("notes", 30)
    before = terminal.east.writes, terminal.west.writes
    command = ("move", f"{EAST}/notes", "--to", WEST, "--alias", "guests", "--delete-source", "--dry-run")
    result = terminal.indexvault(*command)
    assert result.code == 0, result.stderr
    assert f"{EAST}/notes would be moved to {WEST}/notes" in result.stdout
    assert f"make the alias {WEST}/guests" in result.stdout
    (record,) = terminal.indexvault(*command, "--json").records
    assert (record["event"], record["ready"], record["documents"]) == ("move_preflight", True, 30)
    assert (terminal.east.writes, terminal.west.writes) == before
    assert terminal.indexvault("snapshots", "--json").records == []


@pytest.mark.slow  # starts many processes
def test_a_dry_run_ends_with_the_code_of_the_move(terminal: Terminal) -> None:
    terminal.east.fill("notes", 3)
    terminal.west.fill("notes", 1)
    for command, code in ((("move", f"{EAST}/notes", "--to", WEST), 5), (("move", f"{EAST}/x", "--to", WEST), 4)):
        checked = terminal.indexvault(*command, "--dry-run", "--json")
        assert (checked.code, checked.records[0]["ready"]) == (code, False)
        assert terminal.indexvault(*command).code == code
