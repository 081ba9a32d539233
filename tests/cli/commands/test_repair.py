import pytest

from indexvault.snapshots.run_names import RUN_CONTAINER
from tests.cli.terminal import EAST, Terminal, delete_blob, delete_blobs

NOTES = f"{EAST}/notes"


def test_repair_takes_from_the_replica_or_the_index(terminal: Terminal, second_store: str) -> None:
    terminal.east.fill("notes", 40)
    reference = terminal.back_up("notes")
    terminal.indexvault("replicate", EAST)
    missing = delete_blob(terminal.connection_string, ".jsonl.gz")
    result = terminal.indexvault("verify", NOTES)
    assert result.code == 6
    assert missing in result.error_line
    assert reference.partition("@")[2] in result.error_line
    repaired = terminal.indexvault("repair", NOTES)
    assert repaired.code == 0, repaired.stderr
    assert f"put back  {missing} from store second" in repaired.stdout
    assert delete_blob(second_store, ".jsonl.gz") == delete_blob(terminal.connection_string, ".jsonl.gz") == missing
    repaired = terminal.indexvault("repair", reference)
    assert f"put back  {missing} from index {NOTES}" in repaired.stdout
    assert "Nothing to repair" in terminal.indexvault("repair", NOTES).stdout
    delete_blob(terminal.connection_string, ".jsonl.gz")
    terminal.east.call("DELETE", "/indexes/notes?api-version=2026-04-01")
    left = terminal.indexvault("repair", NOTES)
    assert left.code == 6
    assert f"left  {missing}" in left.stdout


def test_repair_goes_on_to_the_chunks_of_a_manifest_that_is_back(terminal: Terminal, second_store: str) -> None:
    terminal.east.fill("notes", 3000)
    terminal.back_up("notes")
    assert second_store
    assert terminal.indexvault("replicate", EAST).code == 0
    damaged = {terminal.flip_byte(".jsonl.gz"), terminal.flip_byte(".json")}
    result = terminal.indexvault("repair", NOTES, "--json")
    assert result.code == 0, result.stderr
    (record,) = result.records
    assert {repaired["blob"] for repaired in record["repaired"]} == damaged
    assert terminal.indexvault("verify", NOTES).code == 0


@pytest.mark.slow  # starts many processes
def test_vanished_manifests_are_put_back_from_the_replica(terminal: Terminal, second_store: str) -> None:
    terminal.east.fill("notes", 10)
    references = [terminal.back_up("notes"), terminal.back_up("notes")]
    assert second_store
    assert terminal.indexvault("replicate", EAST).code == 0
    gone = delete_blobs(terminal.connection_string, ending=".json")
    assert len(gone) == 2
    one = terminal.indexvault("repair", references[0])
    assert one.code == 0, one.stderr
    assert f"put back  {gone[0]} from store second" in one.stdout
    assert terminal.references("notes") == references[::-1]
    # Nothing is left at all, not even what tells of it: only the replica knows.
    delete_blobs(terminal.connection_string)
    delete_blobs(terminal.connection_string, container=RUN_CONTAINER)
    every = terminal.indexvault("repair", NOTES)
    assert every.code == 0, every.stderr
    assert terminal.indexvault("verify", NOTES).code == 0
    records = terminal.indexvault("snapshots", NOTES, "--json").records
    assert [(record["reference"], record["state"]) for record in records] == [
        (reference, "complete") for reference in references[::-1]
    ]


def test_the_objects_of_a_service_are_put_back(terminal: Terminal, second_store: str) -> None:
    terminal.east.fill("notes", 10)
    assert terminal.indexvault("backup", EAST).code == 0
    assert second_store
    assert terminal.indexvault("replicate", EAST).code == 0
    (gone,) = [
        name
        for name in delete_blobs(terminal.connection_string, ending=".json")
        if name.startswith(f"{EAST}/$service/")
    ]
    assert terminal.indexvault("verify", f"{EAST}/$service").code == 6
    repaired = terminal.indexvault("repair", f"{EAST}/$service")
    assert repaired.code == 0, repaired.stderr
    assert gone in repaired.stdout
    assert terminal.indexvault("verify", f"{EAST}/$service").code == 0


def test_what_is_nowhere_else_is_left_until_it_is_given_up(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    references = [terminal.back_up("notes"), terminal.back_up("notes")]
    gone = delete_blob(terminal.connection_string, ".json")
    left = terminal.indexvault("repair", NOTES)
    assert left.code == 6
    assert f"left  {gone}" in left.stdout
    given_up = terminal.indexvault("repair", NOTES, "--forget-missing")
    assert given_up.code == 0, given_up.stderr
    assert f"forgotten  {references[0]}" in given_up.stdout
    assert terminal.indexvault("verify", NOTES).code == 0
    assert terminal.references("notes") == references[1:]
    assert terminal.indexvault("verify", references[0]).code == 4


def test_repair_takes_a_service_or_a_pattern(terminal: Terminal) -> None:
    for index in ("notes", "letters"):
        terminal.east.fill(index, 10)
        terminal.back_up(index)
    terminal.flip_byte(".jsonl.gz")
    result = terminal.indexvault("repair", EAST)
    assert result.code == 0, result.stderr
    assert "contoso-east/letters: 1 blob put back, 0 still damaged" in result.stdout
    assert "Nothing to repair: contoso-east/notes" in result.stdout
    some = terminal.indexvault("repair", f"{EAST}/n*", "--json")
    assert [each["index"] for each in some.records] == ["notes"]
