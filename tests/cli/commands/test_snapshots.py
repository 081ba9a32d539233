import pytest

from tests.cli.terminal import EAST, Terminal, delete_blobs, write_future


def test_table_names_each_snapshot_as_other_verbs_take_it(terminal: Terminal) -> None:
    terminal.east.fill("notes", 1200)
    references = [terminal.back_up("notes"), terminal.back_up("notes")]
    result = terminal.indexvault("snapshots")
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["snapshot", "state", "age", "documents", "size", "stored", "added"]
    assert [row.split()[:2] for row in rows] == [[references[1], "complete"], [references[0], "complete"]]
    assert [row.endswith("0 bytes") for row in rows] == [True, False]
    assert all(row.split()[3] == "1,200" for row in rows)


@pytest.mark.slow  # starts many processes
def test_only_the_newest_or_those_since_a_time(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.east.fill("letters", 10)
    made = [terminal.back_up(index) for index in ("letters", "notes", "notes")]

    def listed(*options: str) -> list[str]:
        return [each["reference"] for each in terminal.indexvault("snapshots", *options, "--json").records]

    assert listed("--limit", "1") == [made[0], made[2]]
    assert listed(f"{EAST}/notes", "--since", "yesterday") == made[:0:-1]
    assert listed("--since", "2099-01-01") == []
    assert terminal.indexvault("snapshots", "--since", "soon").code == 2
    assert terminal.indexvault("snapshots", "--limit", "0").code == 2
    terminal.indexvault("pin", made[0], "--reason", "audit")
    (pinned,) = terminal.indexvault("snapshots", f"{EAST}/letters", "--json").records
    assert pinned["pinned"]["reason"] == "audit"
    assert f"{made[0]} is kept: pinned: audit" in terminal.indexvault("snapshots").stdout
    (shown,) = terminal.indexvault("show", made[0], "--json").records
    assert shown["pinned"]["reason"] == "audit"
    assert "pinned: audit" in terminal.indexvault("show", made[0]).stdout


def test_json_has_a_line_for_each(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.east.fill("letters", 10)
    references = [terminal.back_up("letters"), terminal.back_up("notes")]
    every = terminal.indexvault("snapshots", EAST, "--json")
    assert [(record["event"], record["reference"]) for record in every.records] == [
        ("snapshot", reference) for reference in references
    ]
    one = terminal.indexvault("snapshots", f"{EAST}/notes", "--json")
    (record,) = one.records
    assert (record["index"], record["documents"], record["state"], record["losses"]) == ("notes", 10, "complete", 0)


def test_unknown_service_or_index_is_named_with_the_known_ones(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    service = terminal.indexvault("snapshots", "contoso-south")
    assert service.code == 4
    assert "Known services: contoso-east, contoso-west" in service.error_line
    index = terminal.indexvault("snapshots", f"{EAST}/letters")
    assert index.code == 4
    assert "There are snapshots of notes" in index.error_line


def test_damaged_manifest_is_still_listed(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    terminal.flip_byte(".json")
    result = terminal.indexvault("snapshots", "--json")
    assert result.code == 0
    assert len(result.records) == 1


@pytest.mark.slow  # starts many processes
def test_missing_snapshots_are_listed_with_a_hint(terminal: Terminal, second_store: str) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    assert second_store
    assert terminal.indexvault("replicate", EAST).code == 0
    delete_blobs(terminal.connection_string, ending=".json")
    for where in ([], [EAST], [f"{EAST}/notes"]):
        result = terminal.indexvault("snapshots", *where)
        assert result.code == 0
        _heading, row, *_rest = result.stdout.splitlines()
        assert row.split()[:2] == [reference, "missing"]
        hint = f"{reference} is missing from store local, and store second still has it: indexvault repair {EAST}/notes"
        assert hint in " ".join(result.stdout.split())
        records = terminal.indexvault("snapshots", *where, "--json").records
        found = {record["store"]: (record["state"], record["copies"]) for record in records}
        assert found["local"] == ("missing", ["second"])
        assert found.get("second", ("complete", [])) == ("complete", [])
    # Without its own store, a restore reads from the replica all the same.
    assert terminal.indexvault("restore", reference, "--to", f"{EAST}/notes-2").code == 0


@pytest.mark.slow  # starts many processes
def test_a_snapshot_of_the_future_is_told_and_found_by_its_id_alone(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    future = write_future(terminal.connection_string, "notes")
    listing = terminal.indexvault("snapshots", f"{EAST}/notes")
    _heading, first, second, *rest = listing.stdout.splitlines()
    assert first.startswith(future)
    assert "in the future" in first
    assert second.split()[:2] == [reference, "complete"]
    assert rest == [f"{future} is dated in the future: only its id finds it"]
    records = terminal.indexvault("snapshots", "--json").records
    assert [(record["reference"], record["in_future"]) for record in records] == [(future, True), (reference, False)]
    for point in ("latest", "2099-12-31"):
        shown = terminal.indexvault("show", f"{EAST}/notes@{point}", "--json")
        assert shown.records[0]["reference"] == reference
        verified = terminal.indexvault("verify", f"{EAST}/notes@{point}", "--json")
        assert verified.records[0]["reference"] == reference
    assert terminal.indexvault("show", future, "--json").records[0]["reference"] == future
    checked = terminal.indexvault("check", "--json")
    assert checked.code == 0
    told = {(record["target"], record["check"]): record["detail"] for record in checked.records}
    assert future in told["store local", "miss no snapshot"]


def test_labels_are_listed_shown_and_filtered_by(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    plain = terminal.back_up("notes")
    given = ("--tag", "release=4.2", "--tag", "manual", "--description", "Before the move", "--expires", "P30D")
    made = terminal.indexvault("--json", "backup", f"{EAST}/notes", *given).records[0]["reference"]
    listed = {each["reference"]: each for each in terminal.indexvault("--json", "snapshots").records}
    assert listed[made]["tags"] == {"release": "4.2", "manual": ""}
    assert listed[made]["description"] == "Before the move"
    assert listed[plain]["tags"] == {}
    assert "manual, release=4.2; Before the move; until " in terminal.indexvault("snapshots").stdout
    for wanted in ("release", "release=4.*", "manual"):
        found = terminal.indexvault("--json", "snapshots", "--tag", wanted).records
        assert [each["reference"] for each in found] == [made]
    assert terminal.indexvault("snapshots", "--tag", "release", "--tag", "env").stdout == "There are no snapshots\n"
    shown = terminal.indexvault("show", made).stdout
    assert "Before the move" in shown
    assert "manual, release=4.2" in shown


@pytest.mark.parametrize(
    "wrong",
    [("--tag", "a b=c"), ("--tag", "=1"), ("--expires", "soon"), ("--expires", "PT1S"), ("--time-limit", "PT0S")],
    ids=" ".join,
)
def test_labels_that_can_not_be_are_refused_at_once(terminal: Terminal, wrong: tuple[str, str]) -> None:
    refused = terminal.indexvault("backup", EAST, *wrong)
    assert refused.code == 2
    assert terminal.east.requests == {}
