import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.slow  # starts many processes
def test_a_snapshot_is_deleted_after_a_yes_and_never_without(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    made = [terminal.back_up("notes") for _ in range(3)]
    asked = terminal.indexvault("delete", made[0])
    assert (asked.code, "Add --yes" in asked.error_line) == (2, True)
    dry = terminal.indexvault("delete", made[0], "--dry-run")
    assert dry.code == 0, dry.stderr
    assert f"{made[0]} in store local: complete" in dry.stdout
    assert "frees nothing: other snapshots there need all that it has" in dry.stdout
    assert terminal.references("notes") == made[::-1]
    done = terminal.indexvault("delete", f"{NOTES}@{made[0][-6:]}", made[1], "--yes", "--json")
    assert done.code == 0, done.stderr
    assert [record["event"] for record in done.records] == ["deletion", "deletion", "frees", "deleted", "deleted"]
    assert {record["reference"] for record in done.records if record["event"] == "deleted"} == set(made[:2])
    assert terminal.references("notes") == made[2:]
    last = terminal.indexvault("delete", made[2], "--yes")
    assert (last.code, "no complete snapshot would be left; nothing was deleted" in last.error_line) == (5, True)
    assert terminal.indexvault("pin", made[2]).code == 0
    pinned = terminal.indexvault("delete", made[2], "--yes")
    assert (pinned.code, "it is pinned in store local" in pinned.error_line) == (5, True)
    assert terminal.indexvault("delete", f"{NOTES}@latest", "--yes").code == 2
    assert terminal.indexvault("verify", NOTES).code == 0
