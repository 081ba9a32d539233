import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.slow  # starts many processes
def test_find_follows_a_document(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    first = terminal.back_up("notes")
    terminal.east.change("notes", {"id": "000007", "text": "other"})
    second = terminal.back_up("notes")
    result = terminal.indexvault("find", NOTES, "000007", "--json", "--show")
    assert [(each["kind"], each["reference"], each["document"]["text"]) for each in result.records] == [
        ("appeared", first, "what 7 says"),
        ("changed", second, "other"),
    ]
    table = terminal.indexvault("find", NOTES, "000007")
    assert "what 7 says" not in table.stdout
    assert "2 snapshots looked at, 2 chunks read" in table.stdout
    assert terminal.indexvault("find", NOTES, "nobody").code == 4
    terminal.flip_byte(".json")
    lost = terminal.indexvault("find", NOTES, "nobody")
    assert lost.code == 6
    assert "is not known: 1 of 2 snapshots can't be read" in lost.error_line
