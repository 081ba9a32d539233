import io
from datetime import timedelta

from rich.console import Console

from indexvault.cli.commands.snapshots import _Listing
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.summary import damaged_summary
from tests.cli.terminal import EAST, Terminal


def test_table_names_each_snapshot_as_other_verbs_take_it(terminal: Terminal) -> None:
    terminal.east.fill("notes", 1200)
    references = [terminal.back_up("notes"), terminal.back_up("notes")]
    result = terminal.indexvault("snapshots")
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["snapshot", "state", "age", "documents", "size", "stored", "added"]
    assert [row.split()[:2] for row in rows] == [[references[1], "complete"], [references[0], "complete"]]
    assert [row.endswith("0 bytes") for row in rows] == [True, False]
    assert all(row.split()[3] == "1,200" for row in rows)


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


def test_names_stay_whole_on_a_narrow_terminal() -> None:
    reference = SnapshotReference(service="contoso-east", index="hotels", id="20261121T031035Z-7d2cd4")
    summary = damaged_summary(reference)
    now = summary.created + timedelta(hours=10)
    for width, headings in ((120, 7), (86, 6), (78, 5)):
        paper = io.StringIO()
        Console(file=paper, width=width).print(_Listing([summary], now))
        heading, row = paper.getvalue().splitlines()
        assert len(heading.split()) == headings
        assert row.split()[:2] == [str(reference), "damaged"]
