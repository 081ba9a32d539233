"""The script that people write instead: the official SDK, `json` and `gzip`.

    python -m benchmarks.plain {backup,restore} SEARCH INDEX TARGET FILE

It reads in key order, so that it at least gets every document of an index that stands still.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from azure.core.credentials import AzureKeyCredential
from azure.search.documents import SearchClient

_PAGE = 1000
_LEVEL = 1
"""The fastest level of gzip: at the default one, most of the script's time would go into compressing."""
_BATCH_BYTES = 8_000_000


def main(operation: str, endpoint: str, index: str, target: str, file: str) -> None:
    """Carry an operation out."""
    credential = AzureKeyCredential("key")
    if operation == "backup":
        with SearchClient(endpoint, index, credential) as client:
            _back_up(client, Path(file))
    elif operation == "restore":
        with SearchClient(endpoint, target, credential) as client:
            _restore(client, Path(file))
    else:
        raise SystemExit(f"plain has no {operation}")


def _back_up(client: SearchClient, file: Path) -> None:
    last: str | None = None
    with gzip.open(file, "wt", _LEVEL, encoding="utf-8") as out:
        while True:
            bounds: dict[str, Any] = {"filter": f"id gt '{last}'"} if last is not None else {}
            found = list(client.search("*", order_by=["id asc"], top=_PAGE, **bounds))
            if not found:
                return
            for document in found:
                out.write(json.dumps({name: value for name, value in document.items() if name[0] != "@"}) + "\n")
            last = found[-1]["id"]


def _restore(client: SearchClient, file: Path) -> None:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        average = max(1, sum(map(len, first := list(islice(lines, 100)))) // 100)
        most = min(_PAGE, max(1, _BATCH_BYTES // average))
        documents = _documents(first, lines)
        while batch := list(islice(documents, most)):
            if not all(result.succeeded for result in client.upload_documents(batch)):
                raise SystemExit("a document was refused")


def _documents(first: list[str], lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, first)
    yield from map(json.loads, lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
