import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.slow  # starts many processes
def test_diff_names_documents_fields_and_what_was_not_read(terminal: Terminal) -> None:
    terminal.east.fill("notes", 2000)
    before = terminal.back_up("notes")
    terminal.east.change(
        "notes", {"id": "000007", "text": "other"}, {"@search.action": "delete", "id": "000009"}, {"id": "x"}
    )
    after = terminal.back_up("notes")
    result = terminal.indexvault("diff", before, after, "--fields", "--json")
    assert result.code == 0, result.stderr
    *changes, total = result.records
    assert [(each["kind"], each["key"], each.get("fields")) for each in changes] == [
        ("changed", "000007", ["text"]),
        ("removed", "000009", None),
        ("added", "x", None),
    ]
    assert (total["added"], total["removed"], total["changed"], total["definition_differences"]) == (1, 1, 1, 0)
    assert total["chunks_skipped"] > 0
    live = terminal.indexvault("diff", before, NOTES)
    totals, *keys = live.stdout.splitlines()
    assert keys == ["~ 000007", "- 000009", "+ x"]
    assert totals.startswith("1 added, 1 removed, 1 changed; 0 differences")
    assert terminal.indexvault("diff", before, after, "--exit-code").code == 1
    assert terminal.indexvault("diff", before, before, "--exit-code").code == 0
    assert terminal.indexvault("diff", before, f"{EAST}/none").code == 4
    assert terminal.indexvault("diff", NOTES, before).code == 2


@pytest.mark.slow  # starts many processes
def test_diff_names_some_dozen_keys_unless_all_are_asked_for(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    before = terminal.back_up("notes")
    terminal.east.change("notes", *({"id": f"x{number:02}", "text": "new"} for number in range(30)))
    some = terminal.indexvault("diff", before, NOTES).stdout.splitlines()
    assert some[0].startswith("30 added")
    assert some[1:25] == [f"+ x{number:02}" for number in range(24)]
    assert some[25:] == ["… and 6 more: --all names them"]
    every = terminal.indexvault("diff", before, NOTES, "--all").stdout.splitlines()
    assert every[1:] == [f"+ x{number:02}" for number in range(30)]
    assert len(terminal.indexvault("diff", before, NOTES, "--json").records) == 31
