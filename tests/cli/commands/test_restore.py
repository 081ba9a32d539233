from pathlib import Path

import pytest

from tests.cli.terminal import EAST, WEST, Terminal, await_request


def test_index_comes_back_on_another_service_under_its_own_name(terminal: Terminal) -> None:
    terminal.east.fill("notes", 120)
    reference = terminal.back_up("notes")
    result = terminal.indexvault("restore", reference, "--to", WEST)
    assert result.code == 0, result.stderr
    restored, compared, *_ = result.stdout.splitlines()
    assert restored == f"restored  contoso-west/notes from {reference}"
    assert "120 documents read back and compared with the snapshot: 120 the same to the byte" in compared
    assert terminal.west.indexes == ["notes"]


def test_json_tells_what_was_proved(terminal: Terminal) -> None:
    terminal.east.fill("notes", 50)
    reference = terminal.back_up("notes")
    result = terminal.indexvault("restore", "contoso-east/notes@latest", "--to", f"{EAST}/notes-again", "--json")
    (record,) = result.records
    assert record["event"] == "restore"
    assert record["reference"] == reference
    assert (record["target_service"], record["target_index"]) == (EAST, "notes-again")
    assert (record["documents"], record["identical"], record["equal"]) == (50, 50, 0)


def test_existing_target_is_a_conflict_and_is_not_touched(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.west.fill("notes", 3)
    reference = terminal.back_up("notes")
    before = terminal.west.writes
    result = terminal.indexvault("restore", reference, "--to", WEST)
    assert result.code == 5
    assert "an index contoso-west/notes exists; nothing was touched. Restore under another name" in result.error_line
    assert terminal.west.writes == before


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".json"])
def test_one_changed_byte_is_found_before_anything_is_written_to_the_target(terminal: Terminal, suffix: str) -> None:
    terminal.east.fill("notes", 200)
    reference = terminal.back_up("notes")
    blob = terminal.flip_byte(suffix)
    before = terminal.west.writes
    result = terminal.indexvault("restore", reference, "--to", WEST)
    assert result.code == 6
    assert blob in result.error_line
    assert terminal.west.writes == before
    assert terminal.west.indexes == []


def test_lossy_snapshot_is_restored_only_when_the_loss_is_accepted(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10, retrievable=False)
    reference = terminal.back_up("notes")
    refused = terminal.indexvault("restore", reference, "--to", WEST)
    assert refused.code == 3
    assert "the snapshot lacks text" in refused.error_line
    assert "Restore with --accept-loss" in refused.error_line
    assert terminal.west.indexes == []
    accepted = terminal.indexvault("restore", reference, "--to", WEST, "--accept-loss")
    assert accepted.code == 0, accepted.stderr
    assert "not in it: text: retrievable is false" in accepted.stdout


def test_unknown_snapshot_or_target_is_named_with_the_known_ones(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    unknown_target = terminal.indexvault("restore", reference, "--to", "contoso-south")
    assert unknown_target.code == 4
    assert unknown_target.error_line == (
        "service contoso-south: no service of this name is configured. Known services: contoso-east, contoso-west;"
        " did you mean 'contoso-east' or 'contoso-west'?"
    )
    unknown_snapshot = terminal.indexvault("restore", "contoso-east/notes@20200101T000000Z-abcdef", "--to", WEST)
    assert unknown_snapshot.code == 4
    assert reference.partition("@")[2] in unknown_snapshot.error_line


def test_control_c_says_that_the_target_is_not_complete(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    terminal.west.faults({"fault": "latency", "operation": "index_documents", "seconds": 60, "skip": 1})
    process = terminal.start("restore", reference, "--to", WEST)
    await_request(process, terminal.west, "index_documents", 2)
    result = terminal.interrupt(process)
    assert result.code == 130
    assert result.error_line == (
        "contoso-west index notes: the restore was interrupted; the index is incomplete."
        " Run the same command again to resume"
    )


def test_a_restore_without_a_field_does_not_claim_to_be_the_snapshot(terminal: Terminal, tmp_path: Path) -> None:
    terminal.east.fill("notes", 20)
    reference = terminal.back_up("notes")
    patch = tmp_path / "patch.json"
    patch.write_text('{"fields": {"text": null}}')
    result = terminal.indexvault("restore", reference, "--to", WEST, "--patch", str(patch))
    assert "20 documents read back and compared with the snapshot less text: 20 the same" in result.stdout
    result = terminal.indexvault(
        "restore", reference, "--to", f"{WEST}/few", "--patch", str(patch), "--document", "000001", "--json"
    )
    (record,) = result.records
    assert record["not_compared"] == {"dropped": ["text"], "hidden": [], "more": 0, "selected": True}


@pytest.mark.slow  # starts many processes
def test_of_two_restores_of_one_target_at_once_the_second_is_a_conflict(terminal: Terminal) -> None:
    terminal.east.fill("notes", 300)
    reference = terminal.back_up("notes")
    # Only the first batch of documents is held back; an empty one before it asks for the right to write.
    held = {"fault": "latency", "operation": "index_documents", "seconds": 3600, "skip": 1, "times": 1}
    terminal.west.faults(held)
    first = terminal.start("restore", reference, "--to", WEST)
    await_request(first, terminal.west, "index_documents", 2)
    waiting = terminal.start("restore", reference, "--to", WEST)
    assert waiting.stderr is not None
    assert any("waiting up to 60 s" in line for line in waiting.stderr)
    terminal.west.faults()
    assert terminal.wait(first).code == 0
    second = terminal.wait(waiting)
    assert second.code == 5, second.stderr
    assert "has ended meanwhile" in second.stderr
    assert "discard-unfinished" not in second.stderr
