"""The recipes of the pages and of the help, run as they stand on the demo's own documents."""

import hashlib
import json
import re
from argparse import ArgumentParser
from pathlib import Path

import duckdb
import pytest

from demo.hotels import documents
from indexvault.cli.commands import restore
from indexvault.restore.document_filter import DocumentFilter
from indexvault.snapshots.packs import Packer, member
from tests.layout.project import text_of

LINES = [line for _key, line in documents(600)]


def sql_of(page: str) -> list[str]:
    found: list[str] = re.findall(r"^```sql\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)
    return found


def rows(sql: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    monkeypatch.chdir(folder)
    return duckdb.connect().execute(sql).fetchall()


@pytest.mark.parametrize("is_packed", [False, True], ids=["as exported", "in packs"])
def test_the_sql_of_the_page_reads_the_demo_s_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_packed: bool
) -> None:
    [sql] = sql_of("docs/format.md")
    if is_packed:
        packer = Packer()
        for start in range(0, len(LINES), 20):
            data = b"".join(line + b"\n" for line in LINES[start : start + 20])
            sha256 = hashlib.sha256(data).hexdigest()
            packer.add(sha256, member(sha256, data))
        pack = packer.finish()
        assert pack is not None
        (tmp_path / f"{pack.name}.jsonl.gz").write_bytes(pack.data)
        sql = sql.replace("'hotels.jsonl'", "'*.jsonl.gz'")
    else:
        (tmp_path / "hotels.jsonl").write_bytes(b"".join(line + b"\n" for line in LINES))

    [(number, average)] = rows(sql, tmp_path, monkeypatch)
    ratings = [json.loads(line)["Rating"] for line in LINES]
    real = [rating for rating in ratings if isinstance(rating, float)]
    assert {"NaN"} <= {rating for rating in ratings if isinstance(rating, str)}
    assert number == len(LINES)
    assert average == pytest.approx(sum(real) / len(real))


def test_the_filter_of_the_help_selects_on_the_demo_s_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    parser = ArgumentParser()
    restore.add_arguments(parser)
    [text] = re.findall(r"for which this is true, such as\s+'([^']*)'", parser.format_help())
    chosen = sum(DocumentFilter(text).matches(line) for line in LINES)
    assert 0 < chosen < len(LINES)
