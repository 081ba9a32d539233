from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


def test_sound_snapshot_is_proved(terminal: Terminal) -> None:
    terminal.east.fill("notes", 120)
    reference = terminal.back_up("notes")
    result = terminal.indexvault("verify", reference)
    assert result.code == 0
    sound, figures = result.stdout.splitlines()
    assert sound == f"sound  {reference}"
    assert figures.startswith("  120 documents in 1 chunk")


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
