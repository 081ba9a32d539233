import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.usefixtures("second_store")
def test_prune_shows_why_and_removes_what_no_rule_keeps(terminal: Terminal) -> None:
    terminal.settings["policies"]["nightly"]["replicate_to"] = []
    terminal.east.fill("notes", 40)
    made = [terminal.back_up("notes") for _ in range(4)]
    dry = terminal.indexvault("prune", NOTES, "--dry-run")
    assert dry.code == 0
    rows = [line.split() for line in dry.stdout.splitlines() if line.startswith("2")]
    assert [row[0] for row in rows] == [reference.partition("@")[2] for reference in made[::-1]]
    assert ["stays" in row for row in rows] == [True, True, False, False]
    assert "would go" in dry.stdout
    assert "last 1, the last complete one" in dry.stdout
    assert len(terminal.references("notes")) == 4
    done = terminal.indexvault("prune", EAST, "--json")
    assert done.code == 0
    assert [record["removed"] for record in done.records if record["event"] == "decision"] == [False, False, True, True]
    assert terminal.references("notes") == made[:1:-1]


def test_without_rules_nothing_goes(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    terminal.back_up("notes")
    result = terminal.indexvault("prune", NOTES, "--json")
    assert (result.code, [record["keep"] for record in result.records[:1]]) == (0, [True])
    assert terminal.indexvault("prune", f"{EAST}/none").code == 4
    assert terminal.indexvault("prune", "nowhere").code == 4
