import json
from pathlib import Path

import pytest

from tests.cli.terminal import EAST, Terminal

NOTES = f"{EAST}/notes"


@pytest.mark.slow  # starts many processes
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


def test_an_import_refuses_what_no_service_takes_or_lists_it(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "definition.json").write_text(
        json.dumps({"name": "x", "fields": [{"name": "id", "type": "Edm.String", "key": True}]})
    )
    (tmp_path / "a.jsonl").write_text('{"id":"1"}\n{"id":"2","colour":"red"}\n')
    refused = terminal.indexvault("import", str(tmp_path), "--as", f"{EAST}/foreign")
    assert refused.code == 2
    assert "a.jsonl: line 2, /colour: the definition has no such field" in refused.stderr
    assert terminal.indexvault("import", str(tmp_path), "--as", f"{EAST}/Foreign", "--lenient").code == 2
    lenient = terminal.indexvault("import", str(tmp_path), "--as", f"{EAST}/foreign", "--lenient", "--json")
    assert lenient.code == 0, lenient.stderr
    (record,) = lenient.records
    assert record["findings_count"] == 1
    assert record["findings"] == ["a.jsonl line 2, /colour: the definition has no such field"]
    shown = terminal.indexvault("show", record["reference"])
    assert "a lenient import" in shown.stdout
    assert "/colour" in shown.stdout
