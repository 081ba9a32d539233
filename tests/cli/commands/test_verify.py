from tests.cli.desk import Operator


def test_sound_snapshot_is_proved(desk: Operator) -> None:
    desk.east.fill("notes", 120)
    reference = desk.back_up("notes")
    ended = desk.indexvault("verify", reference)
    assert ended.code == 0
    sound, figures = ended.stdout.splitlines()
    assert sound == f"sound  {reference}"
    assert figures.startswith("  120 documents in 1 chunk")


def test_changed_chunk_is_named(desk: Operator) -> None:
    desk.east.fill("notes", 120)
    desk.back_up("notes")
    blob = desk.flip_byte(".jsonl.gz")
    ended = desk.indexvault("verify", "contoso-east/notes@latest", "--json")
    assert ended.code == 6
    assert blob in ended.complaint
    found, error = ended.records
    assert [damage["blob"] for damage in found["damage"]] == [blob]
    assert (error["event"], error["kind"], error["exit_code"]) == ("error", "IntegrityError", 6)


def test_changed_manifest_is_named(desk: Operator) -> None:
    desk.east.fill("notes", 10)
    reference = desk.back_up("notes")
    blob = desk.flip_byte(".json")
    ended = desk.indexvault("verify", reference)
    assert ended.code == 6
    assert f"{blob}: its checksum does not match its bytes" in ended.complaint
