import pytest

from tests.cli.desk import EAST, WEST, Operator, await_request


def test_index_comes_back_on_another_service_under_its_own_name(desk: Operator) -> None:
    desk.east.fill("notes", 120)
    reference = desk.back_up("notes")
    ended = desk.indexvault("restore", reference, "--to", WEST)
    assert ended.code == 0, ended.stderr
    restored, compared, *_ = ended.stdout.splitlines()
    assert restored == f"restored  contoso-west/notes from {reference}"
    assert "120 documents read back and compared with the snapshot: 120 the same to the byte" in compared
    assert desk.west.indexes == ["notes"]


def test_json_tells_what_was_proved(desk: Operator) -> None:
    desk.east.fill("notes", 50)
    reference = desk.back_up("notes")
    ended = desk.indexvault("restore", "contoso-east/notes@latest", "--to", f"{EAST}/notes-again", "--json")
    (record,) = ended.records
    assert record["event"] == "restore"
    assert record["reference"] == reference
    assert (record["target_service"], record["target_index"]) == (EAST, "notes-again")
    assert (record["documents"], record["identical"], record["equal"]) == (50, 50, 0)


def test_existing_target_is_a_conflict_and_is_not_touched(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    desk.west.fill("notes", 3)
    reference = desk.back_up("notes")
    before = desk.west.writes
    ended = desk.indexvault("restore", reference, "--to", WEST)
    assert ended.code == 5
    assert "an index contoso-west/notes exists; nothing was touched. Restore under another name" in ended.complaint
    assert desk.west.writes == before


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".json"])
def test_one_changed_byte_is_found_before_anything_is_written_to_the_target(desk: Operator, suffix: str) -> None:
    desk.east.fill("notes", 200)
    reference = desk.back_up("notes")
    blob = desk.flip_byte(suffix)
    before = desk.west.writes
    ended = desk.indexvault("restore", reference, "--to", WEST)
    assert ended.code == 6
    assert blob in ended.complaint
    assert desk.west.writes == before
    assert desk.west.indexes == []


def test_lossy_snapshot_is_restored_only_when_the_loss_is_accepted(desk: Operator) -> None:
    desk.east.fill("notes", 10, retrievable=False)
    reference = desk.back_up("notes")
    refused = desk.indexvault("restore", reference, "--to", WEST)
    assert refused.code == 3
    assert "the snapshot lacks text" in refused.complaint
    assert "Restore with --accept-loss" in refused.complaint
    assert desk.west.indexes == []
    accepted = desk.indexvault("restore", reference, "--to", WEST, "--accept-loss")
    assert accepted.code == 0, accepted.stderr
    assert "not in it: text: retrievable is false" in accepted.stdout


def test_unknown_snapshot_or_target_is_named_with_the_known_ones(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    reference = desk.back_up("notes")
    unknown_target = desk.indexvault("restore", reference, "--to", "contoso-south")
    assert unknown_target.code == 4
    assert unknown_target.complaint == (
        "service contoso-south: no service of this name is configured. Known services: contoso-east, contoso-west"
    )
    unknown_snapshot = desk.indexvault("restore", "contoso-east/notes@20200101T000000Z-abcdef", "--to", WEST)
    assert unknown_snapshot.code == 4
    assert reference.partition("@")[2] in unknown_snapshot.complaint


def test_control_c_says_that_the_target_is_not_complete(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    reference = desk.back_up("notes")
    desk.west.faults({"fault": "latency", "operation": "index_documents", "seconds": 60, "skip": 1})
    process = desk.start("restore", reference, "--to", WEST)
    await_request(process, desk.west, "index_documents", 2)
    ended = desk.interrupt(process)
    assert ended.code == 130
    assert ended.complaint == (
        "contoso-west index notes: the restore was stopped before the index was complete."
        " Give the same command again to go on with it"
    )
