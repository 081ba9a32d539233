"""diff, find, export, import, and verifying by parts."""

import json
from pathlib import Path

from tests.cli.desk import EAST, VERSION, Operator

NOTES = f"{EAST}/notes"


def change(desk: Operator, *actions: dict[str, str]) -> None:
    desk.east.call("POST", f"/indexes/notes/docs/index?api-version={VERSION}", {"value": list(actions)})


def test_diff_names_documents_fields_and_what_was_not_read(desk: Operator) -> None:
    desk.east.fill("notes", 2000)
    before = desk.back_up("notes")
    change(desk, {"id": "000007", "text": "other"}, {"@search.action": "delete", "id": "000009"}, {"id": "x"})
    after = desk.back_up("notes")
    ended = desk.indexvault("diff", before, after, "--fields", "--json")
    assert ended.code == 0, ended.stderr
    *changes, total = ended.records
    assert [(each["kind"], each["key"], each.get("fields")) for each in changes] == [
        ("changed", "000007", ["text"]),
        ("removed", "000009", None),
        ("added", "x", None),
    ]
    assert (total["added"], total["removed"], total["changed"], total["definition_differences"]) == (1, 1, 1, 0)
    assert total["chunks_skipped"] > 0
    live = desk.indexvault("diff", before, NOTES)
    assert live.stdout.splitlines()[:3] == ["~ 000007", "- 000009", "+ x"]
    assert "1 added, 1 removed, 1 changed; 0 differences" in live.stdout
    assert desk.indexvault("diff", before, f"{EAST}/none").code == 4
    assert desk.indexvault("diff", NOTES, before).code == 2


def test_find_follows_a_document(desk: Operator) -> None:
    desk.east.fill("notes", 40)
    first = desk.back_up("notes")
    change(desk, {"id": "000007", "text": "other"})
    second = desk.back_up("notes")
    ended = desk.indexvault("find", NOTES, "000007", "--json", "--show")
    assert [(each["kind"], each["reference"], each["document"]["text"]) for each in ended.records] == [
        ("appeared", first, "what 7 says"),
        ("changed", second, "other"),
    ]
    table = desk.indexvault("find", NOTES, "000007")
    assert "what 7 says" not in table.stdout
    assert "2 snapshots looked at, 2 chunks read" in table.stdout
    assert desk.indexvault("find", NOTES, "nobody").code == 4
    desk.flip_byte(".json")
    lost = desk.indexvault("find", NOTES, "nobody")
    assert lost.code == 6
    assert "is not known: 1 of 2 snapshots can't be read" in lost.complaint


def test_export_and_import_round_trip(desk: Operator, tmp_path: Path) -> None:
    desk.east.fill("notes", 40)
    reference = desk.back_up("notes")
    folder = tmp_path / "out"
    assert desk.indexvault("export", reference, str(folder)).code == 0
    lines = (folder / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"{number:06d}" for number in range(40)]
    assert desk.indexvault("export", reference, str(folder)).code == 5
    brought = desk.indexvault("import", str(folder), "--as", f"{EAST}/copied", "--json")
    assert brought.code == 0, brought.stderr
    (record,) = brought.records
    assert (record["documents"], record["state"]) == (40, "complete")
    restored = desk.indexvault("restore", record["reference"], "--to", "contoso-west/copied")
    assert restored.code == 0, restored.stderr
    assert desk.indexvault("import", str(tmp_path / "none"), "--as", NOTES).code == 4
    assert desk.indexvault("import", str(folder), "--as", "nowhere/x").code == 4


def test_verify_takes_an_index_a_slice_or_sizes(desk: Operator) -> None:
    desk.east.fill("notes", 2000)
    desk.back_up("notes")
    desk.back_up("notes")
    assert "2 snapshots: 2,000 documents" in desk.indexvault("verify", NOTES).stdout
    slices = [desk.indexvault("verify", NOTES, "--sample", f"{part}/3", "--json").records[0] for part in (1, 2, 3)]
    assert sum(each["chunks"] for each in slices) == slices[0]["chunks_named"]
    assert sum(each["documents"] for each in slices) == 2000
    blob = desk.flip_byte(".jsonl.gz")
    assert desk.indexvault("verify", NOTES, "--sizes").code == 0
    found = desk.indexvault("verify", NOTES)
    assert found.code == 6
    assert blob in found.complaint
    assert desk.indexvault("verify", NOTES, "--sample", "4/3").code == 2


def test_show_tells_what_was_added_and_what_is_shared(desk: Operator) -> None:
    desk.east.fill("notes", 2000)
    desk.back_up("notes")
    change(desk, {"id": "000007", "text": "other"})
    ended = desk.indexvault("show", desk.back_up("notes"), "--json")
    (record,) = ended.records
    assert record["added"]["chunks"] == record["sharing"]["own"] == 1
    assert record["sharing"]["shared"] == record["chunks"] - 1
    assert record["sharing"]["with_snapshots"] == 1
