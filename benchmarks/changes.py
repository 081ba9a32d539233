"""A reading by changes beside a full reading of the same index, through the embedded engine.

    python -m benchmarks.changes [--documents 1000000] [--corpus text] [--facetable] [--json FILE]

Each backup runs in a process of its own on the services in memory that `benchmarks.speed` uses: a first full reading;
one by changes of an index that has not changed; one by changes after 0.1 % of the documents were changed, 0.02 %
deleted and 0.02 % added at random keys; and a full reading of that, whose snapshot must be equal by content digest.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.corpora import CORPORA, MEGABYTE, documents
from benchmarks.measuring import PROJECT, Service, run, service
from indexvault.backup.job import BackupJob
from indexvault.backup.limits import LIMITS
from indexvault.backup.workflow import BACK_UP_INDEX, activities_within
from indexvault.clients import Clients
from indexvault.settings.model import ChangesSettings, EnvironmentSecret, ServiceSettings, Settings, StoreSettings
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.activity import Resources
from indexvault.workflow.local import LocalEngine

_SERVICE, _STORE, _INDEX, _ACCOUNT = "contoso", "local", "index", "benchmark"
_SEED = 1
_SAMPLE_BYTES = 300_000
_CHANGED, _DELETED, _ADDED = 0.001, 0.0002, 0.0002
_CHANGES = ChangesSettings(field="changed")
_LONG_AGO = "2026-01-01T00:00:00.000Z"


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup took in its process: wall and CPU seconds, without what the process takes to start."""

    seconds: float
    cpu: float
    state: str
    unchanged: bool
    documents: int
    digest: str
    reading: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A backup, its peak memory in bytes, and what the services saw of it: requests, operations, bytes."""

    name: str
    backup: Backup
    peak: int
    requests: dict[str, int]
    operations: dict[str, int]
    read: int
    written: int

    @property
    def searches(self) -> int:
        """Requests to the search service."""
        return sum(self.requests.values())

    @property
    def blobs(self) -> int:
        """Operations of the store."""
        return sum(self.operations.values())


async def back_up(search_url: str, blobs_url: str, name: str) -> Backup:
    """Back up the index in this process, by changes unless the name says that it is in full."""
    store = f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey=a2V5;BlobEndpoint={blobs_url}/{_ACCOUNT}"
    settings = Settings(
        stores={_STORE: StoreSettings(region="local", connection_string=EnvironmentSecret(env="STORE"))},
        services={
            _SERVICE: ServiceSettings(
                endpoint=search_url, region="local", tier="standard", store=_STORE, api_key=EnvironmentSecret(env="KEY")
            )
        },
    )
    rng = random.Random(name)  # noqa: S311 - repeatable, not secrets
    started, cpu = time.perf_counter(), time.process_time()
    async with Clients(settings, environment={"STORE": store, "KEY": "key"}, rng=rng) as clients:
        resources = Resources(clients=clients, clock=lambda: datetime.now(UTC), rng=rng, report=lambda _progress: None)
        async with LocalEngine(resources, activities_within(LIMITS), [BACK_UP_INDEX]) as engine:
            job = BackupJob(
                service=_SERVICE, index=_INDEX, run=name, changes=None if name.startswith("full") else _CHANGES
            )
            report = await engine.run(BACK_UP_INDEX, job)
        taken, used = time.perf_counter() - started, time.process_time() - cpu
        reference = SnapshotReference(service=_SERVICE, index=_INDEX, id=report.snapshot)
        manifest = await read_manifest(clients.store_of(_SERVICE).snapshots, reference)
    return Backup(
        seconds=taken,
        cpu=used,
        state=report.state,
        unchanged=report.unchanged,
        documents=report.documents,
        digest=manifest.content_digest,
        reading=manifest.reading.reason if manifest.reading is not None else "",
    )


def measure(corpus: str, number: int, *, facetable: bool) -> list[Found]:
    """Run all backups, one after the other. Raises AssertionError if two that must be equal are not."""
    size = number * _document_bytes(corpus)
    with service("benchmarks.search_service") as search, service("benchmarks.blob_service") as blobs:
        search.control(
            "/load", index=_INDEX, corpus=corpus, bytes=size, seed=_SEED, stamp=_LONG_AGO, facetable=facetable
        )
        found = [_measured("full, first", search, blobs), _measured("nothing changed", search, blobs)]
        documents_now = found[0].backup.documents
        moment = datetime.now(UTC)
        search.control(
            "/churn",
            index=_INDEX,
            corpus=corpus,
            changed=round(documents_now * _CHANGED),
            deleted=round(documents_now * _DELETED),
            added=round(documents_now * _ADDED),
            seed=_SEED,
            stamp=f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
        )
        found += [_measured("changes", search, blobs), _measured("full, again", search, blobs)]
    if found[1].backup.digest != found[0].backup.digest or found[2].backup.digest != found[3].backup.digest:
        raise AssertionError("a reading by changes differs from the full reading of the same moment")
    return found


def _measured(name: str, search: Service, blobs: Service) -> Found:
    search.control()
    blobs.control()
    process = run(["benchmarks.changes", "--client", search.url, blobs.url, name], PROJECT, {})
    searched, kept = search.control(), blobs.control()
    return Found(
        name=name,
        backup=msgspec.json.decode(process.output, type=Backup),
        peak=process.peak,
        requests=searched["requests"],
        operations=kept["operations"],
        read=kept["sent"],
        written=kept["received"],
    )


def _document_bytes(corpus: str) -> int:
    sample = [len(line) + 1 for _key, line in documents(CORPORA[corpus], _SAMPLE_BYTES, _SEED)]
    return round(sum(sample) / len(sample))


def lines(found: Sequence[Found]) -> list[str]:
    """Return the figures as a table, each beside the full readings."""
    first, again = found[0], found[-1]
    rows = ["| | documents | search requests | CPU s | of full, first / again | blob operations | read MB | peak MB |"]
    rows.append("|-|-|-|-|-|-|-|-|")
    for each in found:
        shares = " / ".join(
            f"{each.searches / full.searches:.1%} and {each.backup.cpu / full.backup.cpu:.1%}"
            for full in (first, again)
        )
        rows.append(
            f"| {each.name} | {each.backup.documents:,} | {each.searches:,} | {each.backup.cpu:.2f} | {shares} |"
            f" {each.blobs:,} | {each.read / MEGABYTE:.1f} | {each.peak / MEGABYTE:.0f} |"
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.changes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=1_000_000, help="about so many (default: 1,000,000)")
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="text", help="the kind of documents")
    parser.add_argument("--facetable", action="store_true", help="make the key facetable")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--client", nargs=3, metavar="VALUE", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.client:
        sys.stdout.write(msgspec.json.encode(asyncio.run(back_up(*given.client))).decode())
        return 0
    found = measure(given.corpus, given.documents, facetable=given.facetable)
    sys.stdout.write("\n".join([*lines(found), ""]))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
