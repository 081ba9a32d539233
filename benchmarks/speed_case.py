"""All operations on one corpus: of indexvault's command line, of the floor under it, and of a plain script."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import getloadavg
from pathlib import Path

import msgspec

from benchmarks.corpora import CORPORA, MEGABYTE
from benchmarks.measuring import PROJECT, Measured, Process, Service, run

OPERATIONS = ("backup", "unchanged", "changed", "verify", "restore", "sync", "diff", "prune")
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "unchanged": ("backup",),
    "changed": ("backup",),
    "verify": ("backup",),
    "restore": ("backup",),
    "sync": ("backup", "changed", "restore"),
    "diff": ("backup", "changed"),
    "prune": ("backup", "changed"),
}
_LEAN = frozenset({"backup", "unchanged", "verify", "restore"})
_PLAIN = frozenset({"backup", "restore"})
_SERVICE, _INDEX, _COPY = "contoso", "index", "copy"
_ACCOUNT = "benchmark"
_SEED = 1


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A corpus and its size in megabytes, what to measure on it, and where indexvault is imported from."""

    corpus: str
    megabytes: int
    changed: float
    operations: Sequence[str]
    tools: Sequence[str]
    package: Path


def measure(case: Case, search: Service, blobs: Service) -> Iterator[Measured]:
    """Yield what each operation took, on empty services."""
    with tempfile.TemporaryDirectory() as folder:
        runner = _Runner(case, search, blobs, Path(folder))
        wanted = set(case.operations)
        needed = wanted.union(*(_NEEDS.get(name, ()) for name in wanted))
        for operation in OPERATIONS:
            if operation in needed:
                for measured in runner.measure(operation):
                    if operation in wanted:
                        yield measured


class _Runner:
    def __init__(self, case: Case, search: Service, blobs: Service, folder: Path) -> None:
        self._case = case
        self._search = search
        self._blobs = blobs
        self._folder = folder
        self._config = folder / "indexvault.json"
        self._config.write_text(json.dumps(_settings(search)))
        self._first = ""
        search.control("/load", index=_INDEX, corpus=case.corpus, bytes=case.megabytes * MEGABYTE, seed=_SEED)
        self._state = self._first_state = search.control("/digest", index=_INDEX)

    def measure(self, operation: str) -> Iterator[Measured]:
        """Carry an operation out with each tool that has it."""
        case = self._case
        if operation == "changed":
            self._search.control("/change", index=_INDEX, corpus=case.corpus, share=case.changed, seed=_SEED)
            self._state = self._search.control("/digest", index=_INDEX)
        tools: dict[str, Callable[[], Process]] = {"indexvault": lambda: self._indexvault(operation)}
        if operation in _LEAN and "lean" in case.tools:
            tools["lean"] = lambda: self._lean(operation)
        if operation in _PLAIN and "plain" in case.tools:
            tools["plain"] = lambda: self._plain(operation)
        for tool, carry_out in tools.items():
            if tool != "indexvault" and operation in {"verify", "restore"}:
                self._prepare(tool, operation)
            search_before, blobs_before, load = self._search.control(), self._blobs.control(), getloadavg()[0]
            process = carry_out()
            searched, kept = self._search.control(), self._blobs.control()
            if operation == "backup" and tool == "indexvault":
                records = map(json.loads, process.output.splitlines())
                self._first = next(record["snapshot"] for record in records if "snapshot" in record)
            self._check(tool, operation)
            yield Measured(
                corpus=case.corpus,
                megabytes=case.megabytes,
                corpus_bytes=self._state["bytes"],
                operation=operation,
                tool=tool,
                seconds=process.seconds,
                cpu=process.cpu,
                peak=process.peak,
                requests=searched["requests"],
                operations=kept["operations"],
                stored=_snapshot_bytes(kept),
                added=_snapshot_bytes(kept) - _snapshot_bytes(blobs_before),
                search_cpu=searched["cpu"] - search_before["cpu"],
                blobs_cpu=kept["cpu"] - blobs_before["cpu"],
                load=load,
            )

    def _indexvault(self, operation: str) -> Process:
        source = f"{_SERVICE}/{_INDEX}"
        first, latest = f"{source}@{self._first}", f"{source}@latest"
        back_up = ["backup", _SERVICE, _INDEX]
        arguments = {
            "backup": back_up,
            "unchanged": back_up,
            "changed": back_up,
            "verify": ["verify", latest],
            "restore": ["restore", first, "--to", f"{_SERVICE}/{_COPY}"],
            "sync": ["restore", latest, "--to", f"{_SERVICE}/{_COPY}", "--mode", "sync"],
            "diff": ["diff", first, latest],
            "prune": ["prune", source, "--yes"],
        }[operation]
        more = {
            "BENCHMARK_KEY": "key",
            "BENCHMARK_STORE": "DefaultEndpointsProtocol=http;AccountName=benchmark;AccountKey=a2V5;"
            f"BlobEndpoint={self._blobs.url}/{_ACCOUNT}",
        }
        command = ["indexvault", "--quiet", "--json", "--config", str(self._config), *arguments]
        return run(command, self._case.package, more)

    def _lean(self, operation: str) -> Process:
        name = "unchanged" if operation == "changed" else operation
        return run(["benchmarks.lean", name, self._search.url, self._blobs.url, _INDEX, "lean"], PROJECT, {})

    def _plain(self, operation: str) -> Process:
        file = str(self._folder / "documents.jsonl.gz")
        return run(["benchmarks.plain", operation, self._search.url, _INDEX, "plain", file], PROJECT, {})

    def _prepare(self, tool: str, operation: str) -> None:
        """Write the packs that `lean` reads, and create the index that a tool restores to."""
        if tool == "lean":
            run(["benchmarks.lean", "store", self._search.url, self._blobs.url, _INDEX, tool], PROJECT, {})
        if operation == "restore":
            self._search.send("PUT", f"/indexes('{tool}')", CORPORA[self._case.corpus].definition(tool))

    def _check(self, tool: str, operation: str) -> None:
        """Raise RuntimeError if an index was restored to something else than it should be. Remove what is not needed.

        A plain script may write numbers in another way, so its documents are counted only.
        """
        if operation not in {"restore", "sync"}:
            return
        index = _COPY if tool == "indexvault" else tool
        wanted = self._first_state if (tool, operation) == ("indexvault", "restore") else self._state
        found = self._search.control("/digest", index=index)
        if found != wanted and (tool != "plain" or found["documents"] != wanted["documents"]):
            raise RuntimeError(f"{operation} with {tool} made {found}, and not {wanted}")
        if tool != "indexvault":
            self._search.send("DELETE", f"/indexes('{index}')")


def _settings(search: Service) -> dict[str, object]:
    return {
        "stores": {"local": {"connection_string": {"env": "BENCHMARK_STORE"}, "region": "local"}},
        "services": {
            _SERVICE: {
                "endpoint": search.url,
                "region": "local",
                "tier": "standard",
                "store": "local",
                "api_key": {"env": "BENCHMARK_KEY"},
            }
        },
        "policies": {"daily": {"service": _SERVICE, "schedule": "0 0 2 * * *", "keep": {"last": 1}}},
    }


def _snapshot_bytes(kept: Mapping[str, Mapping[str, Mapping[str, int]]]) -> int:
    return kept["stored"].get(f"{_ACCOUNT}/search-snapshots", {}).get("bytes", 0)
