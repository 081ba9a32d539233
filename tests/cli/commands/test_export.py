import json
from pathlib import Path

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


def test_export_and_import_round_trip(terminal: Terminal, tmp_path: Path) -> None:
    terminal.east.fill("notes", 40)
    reference = terminal.back_up("notes")
    folder = tmp_path / "out"
    assert terminal.indexvault("export", reference, str(folder)).code == 0
    lines = (folder / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"{number:06d}" for number in range(40)]
    assert terminal.indexvault("export", reference, str(folder)).code == 5
    brought = terminal.indexvault("import", str(folder), "--as", f"{EAST}/copied", "--json")
    assert brought.code == 0, brought.stderr
    (record,) = brought.records
    assert (record["documents"], record["state"]) == (40, "complete")
    restored = terminal.indexvault("restore", record["reference"], "--to", "contoso-west/copied")
    assert restored.code == 0, restored.stderr
    assert terminal.indexvault("import", str(tmp_path / "none"), "--as", NOTES).code == 4
    assert terminal.indexvault("import", str(folder), "--as", "nowhere/x").code == 4
