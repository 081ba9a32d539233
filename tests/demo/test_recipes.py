"""The recipes of the pages and of the help, run as they stand on the demo's own documents."""

import gzip
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
from tests.layout.project import PROJECT, text_of

CONTAINER = PROJECT / "tests/fixtures/format-1/search-snapshots"
LINES = [line for _key, line in documents(600)]


def sql_of(page: str) -> list[str]:
    found: list[str] = re.findall(r"^```sql\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)
    return found


def rows(sql: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    monkeypatch.chdir(folder)
    return duckdb.connect().execute(sql).fetchall()


def test_the_sql_of_the_page_reads_a_snapshot_of_the_demo_s_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [sql] = sql_of("docs/format.md")
    [manifest] = re.findall(r"'(.*/manifests/.*\.json)'", sql)
    chunks = tmp_path / manifest.partition("/manifests/")[0] / "chunks"
    chunks.mkdir(parents=True)
    named = []
    for start in range(0, len(LINES), 200):
        data = b"".join(line + b"\n" for line in LINES[start : start + 200])
        named.append({"sha256": hashlib.sha256(data).hexdigest()})
        (chunks / f"{named[-1]['sha256']}.jsonl.gz").write_bytes(gzip.compress(data))
    (tmp_path / manifest).parent.mkdir()
    (tmp_path / manifest).write_text(json.dumps({"chunks": named}))

    [(number, average)] = rows(sql, tmp_path, monkeypatch)
    ratings = [json.loads(line)["Rating"] for line in LINES]
    real = [rating for rating in ratings if isinstance(rating, float)]
    assert {"NaN"} <= {rating for rating in ratings if isinstance(rating, str)}
    assert number == len(LINES)
    assert average == pytest.approx(sum(real) / len(real))


def test_the_sql_of_the_page_reads_the_snapshot_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    [sql] = sql_of("docs/format.md")
    [(number, _average)] = rows(sql, CONTAINER, monkeypatch)
    [named] = re.findall(r"'(.*/manifests/.*\.json)'", sql)
    assert number == json.loads((CONTAINER / named).read_text())["counts"]["documents"]


def test_the_filter_of_the_help_selects_on_the_demo_s_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    parser = ArgumentParser()
    restore.add_arguments(parser)
    [text] = re.findall(r"for which this is true, such as\s+'([^']*)'", parser.format_help())
    chosen = sum(DocumentFilter(text).matches(line) for line in LINES)
    assert 0 < chosen < len(LINES)
