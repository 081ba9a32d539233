"""Failed reads of applications that read through aliases during a move from a standard to a basic service.

    python -m benchmarks.moving FOLDER      FOLDER holds index.json and documents.jsonl.gz (or documents.jsonl)

Starts Azurite and two emulated services, fills the source and an older, smaller index behind the target's alias, then
runs `indexvault move` as a process while one reader queries the target's alias and another the source's index.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

from benchmarks.servers import KEY, servers

_VERSION = "api-version=2026-04-01"
_PROJECT = Path(__file__).parents[1]
_ALIAS = "concerts"


@dataclass
class Reader:
    """Queries an index or alias until it is stopped, and counts the answers."""

    url: str
    failures: Counter[str] = field(default_factory=Counter)
    totals: Counter[int] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Read and record every answer's count."""
        while not self.stopped.is_set():
            try:
                self.totals[_call("POST", self.url, {"search": "*", "top": 1, "count": True})["@odata.count"]] += 1
            except (urllib.error.URLError, OSError) as error:
                self.failures[str(error)] += 1
            time.sleep(0.01)


def main(arguments: Sequence[str] | None = None) -> int:
    """Move, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moving", description=__doc__)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    definition = json.loads((given.folder / "index.json").read_bytes())
    documents = _documents(given.folder)
    options = ["--service", "contoso-east:standard:eastus", "--service", "contoso-west:basic:westus2"]
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder), *options) as up:
        host, _, port = up.endpoint.rpartition(":")
        east, west = (f"{host}:{int(port) + place}" for place in (1, 2))
        _fill(east, definition, documents)
        _fill(west, definition | {"name": "older"}, documents[:1000])
        _call("PUT", f"{west}/aliases/{_ALIAS}?{_VERSION}", {"name": _ALIAS, "indexes": ["older"]})
        readers = {
            "the target's alias": Reader(f"{west}/indexes/{_ALIAS}/docs/search?{_VERSION}"),
            "the source's index": Reader(f"{east}/indexes/{definition['name']}/docs/search?{_VERSION}"),
        }
        threads = [threading.Thread(target=reader.run) for reader in readers.values()]
        for thread in threads:
            thread.start()
        started = time.monotonic()
        ended = _move(definition["name"], east, west, up.connection_string)
        seconds = time.monotonic() - started
        for reader in readers.values():
            reader.stopped.set()
        for thread in threads:
            thread.join()
    _say(ended.stdout + ended.stderr)
    _say(f"exit {ended.returncode} after {seconds:.1f} s; {len(documents):,} documents")
    for name, reader in readers.items():
        counts = ", ".join(f"{times:,} counted {count:,}" for count, times in sorted(reader.totals.items()))
        failed = sum(reader.failures.values())
        _say(f"{name}: {sum(reader.totals.values()) + failed:,} reads, {failed} failed; {counts}")
    return ended.returncode


def _move(index: str, east: str, west: str, connection_string: str) -> subprocess.CompletedProcess[str]:
    services = {
        name: {"endpoint": endpoint, "region": region, "tier": tier, "store": "local", "api_key": {"env": "MOVE_KEY"}}
        for name, endpoint, region, tier in (
            ("contoso-east", east, "eastus", "standard"),
            ("contoso-west", west, "westus2", "basic"),
        )
    }
    settings = {
        "stores": {"local": {"connection_string": {"env": "MOVE_STORE"}, "region": "local"}},
        "services": services,
    }
    environment = {"INDEXVAULT_CONFIG": json.dumps(settings), "MOVE_KEY": KEY, "MOVE_STORE": connection_string}
    return subprocess.run(  # noqa: S603 - the command that is measured
        [sys.executable, "-m", "indexvault", "move", f"contoso-east/{index}", "--to", "contoso-west", "--alias", _ALIAS,
         "--allow-cross-region"],
        cwd=_PROJECT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _fill(endpoint: str, definition: dict[str, Any], documents: Iterable[dict[str, Any]]) -> None:
    name = definition["name"]
    _call("PUT", f"{endpoint}/indexes/{name}?{_VERSION}", definition)
    for some in batched(documents, 1000, strict=False):
        _call("POST", f"{endpoint}/indexes/{name}/docs/index?{_VERSION}", {"value": some})


def _documents(folder: Path) -> list[dict[str, Any]]:
    packed = folder / "documents.jsonl.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "documents.jsonl").read_bytes()
    return [json.loads(line) for line in text.splitlines() if line]


def _call(method: str, url: str, body: Any) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the emulator's own loopback address
        url, method=method, data=json.dumps(body).encode(), headers={"api-key": KEY, "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        data = answer.read()
    return json.loads(data) if data else None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
