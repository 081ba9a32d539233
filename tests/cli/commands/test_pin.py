import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.slow  # starts many processes
@pytest.mark.usefixtures("second_store")
def test_a_pinned_snapshot_stays_until_it_is_unpinned(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    made = [terminal.back_up("notes") for _ in range(3)]
    assert terminal.indexvault("pin", made[0], "--reason", "audit").code == 0
    assert "pinned: audit" in terminal.indexvault("prune", NOTES, "--yes").stdout
    assert terminal.references("notes") == made[::-1]
    assert "no longer pinned" in terminal.indexvault("unpin", made[0]).stdout
    assert "was not pinned" in terminal.indexvault("unpin", made[0]).stdout
    terminal.indexvault("prune", NOTES, "--yes")
    assert terminal.references("notes") == made[:0:-1]
    assert terminal.indexvault("pin", made[0]).code == 4


def test_one_person_alone_lifts_no_protection(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    first, _second = terminal.back_up("notes"), terminal.back_up("notes")
    assert "two people lift that" in terminal.indexvault("protect", first, "--reason", "audit").stdout
    assert "is kept: protected by operator " in terminal.indexvault("snapshots").stdout
    assert terminal.indexvault("delete", first, "--yes").code == 5
    assert terminal.indexvault("unpin", first).code == 5
    for _ in range(2):
        asked = terminal.indexvault("unprotect", first)
        assert asked.code == 0
        assert "is still protected" in asked.stdout
    assert terminal.indexvault("unprotect", f"{NOTES}@latest").code == 4
