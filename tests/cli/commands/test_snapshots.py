import io
from datetime import timedelta

from rich.console import Console

from indexvault.cli.commands.snapshots import _Listing
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.summary import damaged_summary
from tests.cli.desk import EAST, Operator


def test_table_names_each_snapshot_as_other_verbs_take_it(desk: Operator) -> None:
    desk.east.fill("notes", 1200)
    references = [desk.back_up("notes"), desk.back_up("notes")]
    ended = desk.indexvault("snapshots")
    heading, *rows = ended.stdout.splitlines()
    assert heading.split() == ["snapshot", "state", "age", "documents", "size", "stored", "added"]
    assert [row.split()[:2] for row in rows] == [[references[1], "complete"], [references[0], "complete"]]
    assert [row.endswith("0 bytes") for row in rows] == [True, False]
    assert all(row.split()[3] == "1,200" for row in rows)


def test_json_has_a_line_for_each(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    desk.east.fill("letters", 10)
    references = [desk.back_up("letters"), desk.back_up("notes")]
    every = desk.indexvault("snapshots", EAST, "--json")
    assert [(record["event"], record["reference"]) for record in every.records] == [
        ("snapshot", reference) for reference in references
    ]
    one = desk.indexvault("snapshots", f"{EAST}/notes", "--json")
    (record,) = one.records
    assert (record["index"], record["documents"], record["state"], record["losses"]) == ("notes", 10, "complete", 0)


def test_unknown_service_or_index_is_named_with_the_known_ones(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    desk.back_up("notes")
    service = desk.indexvault("snapshots", "contoso-south")
    assert service.code == 4
    assert "Known services: contoso-east, contoso-west" in service.complaint
    index = desk.indexvault("snapshots", f"{EAST}/letters")
    assert index.code == 4
    assert "There are snapshots of notes" in index.complaint


def test_damaged_manifest_is_still_listed(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    desk.back_up("notes")
    desk.flip_byte(".json")
    ended = desk.indexvault("snapshots", "--json")
    assert ended.code == 0
    assert len(ended.records) == 1


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
