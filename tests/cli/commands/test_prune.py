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


@pytest.mark.usefixtures("second_store")
def test_prune_and_replicate_take_a_pattern(terminal: Terminal) -> None:
    for index in ("notes", "letters"):
        terminal.east.fill(index, 10)
    terminal.indexvault("backup", EAST)
    for verb in ("prune", "replicate"):
        result = terminal.indexvault(verb, f"{EAST}/n*", "--json")
        assert result.code == 0, result.stderr
        assert {each["index"] for each in result.records if "index" in each} == {"notes"}
        assert terminal.indexvault(verb, f"{EAST}/*", "--json").code == 0
        assert terminal.indexvault(verb, f"{EAST}/n+*").code == 2
        one = terminal.indexvault(verb, f"{NOTES}@latest")
        assert (one.code, "Leave out the @" in one.error_line) == (2, True)
