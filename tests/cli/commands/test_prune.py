import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.slow  # starts many processes
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
    done = terminal.indexvault("prune", EAST, "--yes", "--json")
    assert done.code == 0
    assert [record["removed"] for record in done.records if record["event"] == "decision"] == [False, False, True, True]
    assert terminal.references("notes") == made[:1:-1]


@pytest.mark.slow  # starts many processes
def test_without_rules_nothing_goes(terminal: Terminal) -> None:
    terminal.east.fill("notes", 40)
    terminal.back_up("notes")
    result = terminal.indexvault("prune", NOTES, "--yes", "--json")
    assert (result.code, [record["keep"] for record in result.records[:1]]) == (0, [True])
    assert terminal.indexvault("prune", f"{EAST}/none", "--yes").code == 4
    assert terminal.indexvault("prune", "nowhere", "--yes").code == 4


@pytest.mark.slow  # starts many processes
@pytest.mark.usefixtures("second_store")
def test_prune_and_replicate_take_a_pattern(terminal: Terminal) -> None:
    for index in ("notes", "letters"):
        terminal.east.fill(index, 10)
    terminal.indexvault("backup", EAST)
    for verb in ("prune", "replicate"):
        sure = ["--yes"] if verb == "prune" else []
        result = terminal.indexvault(verb, f"{EAST}/n*", "--json", *sure)
        assert result.code == 0, result.stderr
        assert {each["index"] for each in result.records if "index" in each} == {"notes"}
        assert terminal.indexvault(verb, f"{EAST}/*", "--json", *sure).code == 0
        assert terminal.indexvault(verb, f"{EAST}/n+*").code == 2
        one = terminal.indexvault(verb, f"{NOTES}@latest")
        assert (one.code, "Leave out the @" in one.error_line) == (2, True)


@pytest.mark.slow  # starts many processes
@pytest.mark.usefixtures("second_store")
def test_nothing_is_removed_unasked_and_the_end_says_what_it_comes_to(terminal: Terminal) -> None:
    terminal.settings["policies"]["nightly"]["replicate_to"] = []
    terminal.east.fill("notes", 400)
    made = [terminal.back_up("notes")]
    terminal.east.change("notes", {"id": "000007", "text": "other"})
    made += [terminal.back_up("notes") for _ in range(2)]
    silent = terminal.indexvault("prune", NOTES)
    assert silent.code == 2
    assert "Add --yes, or --dry-run" in silent.error_line
    assert terminal.references("notes") == made[::-1]
    dry = terminal.indexvault("prune", NOTES, "--dry-run", "--json").records[-1]
    assert (dry["event"], dry["snapshots"], dry["going"], dry["removed"]) == ("prune_total", 3, 1, 0)
    assert dry["frees"] > 0
    done = terminal.indexvault("prune", NOTES, "--yes")
    assert done.code == 0
    assert done.stdout.splitlines()[-1].startswith("in all 1 of 3 snapshots removed: frees ")
    assert terminal.references("notes") == made[:0:-1]


@pytest.mark.slow  # starts many processes
def test_what_hinders_the_removal_of_packs_names_its_index(terminal: Terminal) -> None:
    for index in ("notes", "letters"):
        terminal.east.fill(index, 10)
        terminal.back_up(index)
    assert "/letters/" in terminal.flip_byte(".json")
    result = terminal.indexvault("prune", EAST, "--yes")
    assert result.code == 6
    assert result.error_line.startswith("packs of contoso-east/letters: ")
    assert "indexvault repair contoso-east/letters)" in result.error_line
    assert "no policy covers this index" in result.stdout
