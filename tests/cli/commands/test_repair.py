from tests.cli.terminal import EAST, Terminal, delete_blob

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
