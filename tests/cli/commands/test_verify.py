import pytest

from indexvault.snapshots.run_names import RUN_CONTAINER
from tests.cli.terminal import EAST, Terminal, delete_blob, delete_blobs

NOTES = f"{EAST}/notes"


def test_sound_snapshot_is_proved(terminal: Terminal) -> None:
    terminal.east.fill("notes", 120)
    reference = terminal.back_up("notes")
    result = terminal.indexvault("verify", reference)
    assert result.code == 0
    sound, figures = result.stdout.splitlines()
    assert sound == f"sound  {reference}"
    assert figures.startswith("  120 documents in 2 chunks checked of 2, ")


def test_changed_chunk_is_named(terminal: Terminal) -> None:
    terminal.east.fill("notes", 120)
    terminal.back_up("notes")
    blob = terminal.flip_byte(".jsonl.gz")
    result = terminal.indexvault("verify", "contoso-east/notes@latest", "--json")
    assert result.code == 6
    assert blob in result.error_line
    found, error = result.records
    assert [damage["blob"] for damage in found["damage"]] == [blob]
    assert (error["event"], error["kind"], error["exit_code"]) == ("error", "IntegrityError", 6)


def test_changed_manifest_is_named(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    blob = terminal.flip_byte(".json")
    result = terminal.indexvault("verify", reference)
    assert result.code == 6
    assert f"{blob}: its checksum does not match its bytes" in result.error_line


@pytest.mark.slow  # starts many processes
def test_verify_takes_an_index_a_slice_or_sizes(terminal: Terminal) -> None:
    terminal.east.fill("notes", 2000)
    terminal.back_up("notes")
    terminal.back_up("notes")
    assert "2 snapshots: 2,000 documents" in terminal.indexvault("verify", NOTES).stdout
    slices = [terminal.indexvault("verify", NOTES, "--sample", f"{part}/3", "--json").records[0] for part in (1, 2, 3)]
    assert sum(each["chunks"] for each in slices) == slices[0]["chunks_named"]
    assert sum(each["documents"] for each in slices) == 2000
    blob = terminal.flip_byte(".jsonl.gz")
    assert terminal.indexvault("verify", NOTES, "--sizes").code == 0
    found = terminal.indexvault("verify", NOTES)
    assert found.code == 6
    assert blob in found.error_line
    assert terminal.indexvault("verify", NOTES, "--sample", "4/3").code == 2


def test_one_vanished_manifest_of_several_is_damage(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    references = [terminal.back_up("notes"), terminal.back_up("notes")]
    gone = delete_blob(terminal.connection_string, ".json")
    for target in (NOTES, references[0]):
        result = terminal.indexvault("verify", target, "--json")
        assert result.code == 6
        assert f"{gone}: the manifest has vanished, and nobody removed it; no other store has it" in result.error_line
        assert [(damage["kind"], damage["blob"]) for damage in result.records[0]["damage"]] == [("missing", gone)]
    assert terminal.indexvault("verify", references[1]).code == 0
    assert terminal.indexvault("verify", f"{NOTES}@latest").code == 0


def test_latest_is_not_an_older_one_where_the_newest_has_vanished(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    newest = terminal.back_up("notes")
    gone = delete_blob(terminal.connection_string, f"{newest.partition('@')[2]}.json")
    result = terminal.indexvault("verify", f"{NOTES}@latest")
    assert result.code == 6
    assert gone in result.error_line


@pytest.mark.slow  # starts many processes
def test_an_index_all_of_whose_manifests_are_gone_is_damaged(terminal: Terminal, second_store: str) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    assert second_store
    assert terminal.indexvault("replicate", EAST).code == 0
    gone = delete_blobs(terminal.connection_string, ending=".json")
    for wiped in (False, True):  # known from the records, and then from the replica alone
        if wiped:
            delete_blobs(terminal.connection_string, container=RUN_CONTAINER)
        for target in (NOTES, reference, f"{NOTES}@latest"):
            result = terminal.indexvault("verify", target)
            assert result.code == 6, (wiped, target)
            assert f"{gone[0]}: the manifest has vanished" in result.error_line
            assert "store second still has it" in result.error_line
    assert terminal.indexvault("verify", NOTES, "--store", "second").code == 0


def test_an_index_that_has_nothing_is_no_success(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    unknown = terminal.indexvault("verify", f"{EAST}/letters")
    assert unknown.code == 4
    assert "store local has no snapshot of this index" in unknown.error_line
    delete_blobs(terminal.connection_string, ending=".json")
    delete_blobs(terminal.connection_string, container=RUN_CONTAINER)
    left = terminal.indexvault("verify", NOTES)
    assert left.code == 4
    assert "1 packs are there that no snapshot needs" in left.error_line
    assert terminal.indexvault("repair", NOTES).code == 4


def test_the_loss_of_the_runs_container_leaves_snapshots_sound(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    delete_blobs(terminal.connection_string, container=RUN_CONTAINER)
    for target in (NOTES, reference):
        assert terminal.indexvault("verify", target).code == 0


def test_verify_takes_a_service_or_a_pattern_and_goes_on_after_damage(terminal: Terminal) -> None:
    for index in ("notes-1", "notes-2", "letters"):
        terminal.east.fill(index, 10)
    assert terminal.indexvault("backup", EAST).code == 0
    every = terminal.indexvault("verify", EAST, "--json")
    assert every.code == 0, every.stderr
    assert [each["index"] for each in every.records] == ["$service", "letters", "notes-1", "notes-2"]
    some = terminal.indexvault("verify", f"{EAST}/notes-*", "--json")
    assert [each["index"] for each in some.records] == ["notes-1", "notes-2"]
    blob = terminal.flip_byte(".jsonl.gz")
    damaged = terminal.indexvault("verify", EAST, "--json")
    assert damaged.code == 6
    assert "/letters/" in blob
    assert blob in damaged.error_line
    assert [each["index"] for each in damaged.records if each["event"] == "verify"][-1] == "notes-2"
    assert terminal.indexvault("verify", f"{EAST}/memos-*").code == 4
    assert terminal.indexvault("verify", "contoso-south").code == 4
