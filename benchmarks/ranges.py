"""A backup of one index in very many key ranges, through the embedded engine.

    python -m benchmarks.ranges [--ranges 10000] [--documents 500000] [--json FILE]

The limits of a backup are lowered, so that a small index is cut into as many ranges as one of terabytes. It runs in a
process of its own on the services in memory that `benchmarks.speed` uses. Beside the totals, what a range takes early
and late is shown: a step that looks at all ranges each time takes longer with their number.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.corpora import CORPORA, MEGABYTE, documents
from benchmarks.measuring import PROJECT, run, service
from indexvault.backup.job import BackupJob
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.workflow import BACK_UP_INDEX, PLAN, SCAN, activities_within
from indexvault.clients import Clients
from indexvault.settings.model import EnvironmentSecret, ServiceSettings, Settings, StoreSettings
from indexvault.snapshots.chunks import boundary_bits
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.local import LocalEngine

_CORPUS = "small"
_SAMPLE_BYTES = 100_000
_SERVICE, _STORE, _INDEX = "contoso", "local", "index"
_ACCOUNT = "benchmark"
_SEED = 1
_PARTS = 10
"""The first and the last of so many parts of the ranges are compared."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup took: wall and CPU seconds of its process, the services' not counted.

    `planned` and `read` are CPU seconds until the plan was made, and until the last range was read. `early` and `late`
    are CPU seconds for a range, in the first and in the last tenth of the activities that read them. `calls` are
    activities by name.
    """

    ranges: int
    documents: int
    seconds: float
    cpu: float
    planned: float
    read: float
    early: float
    late: float
    calls: dict[str, int]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup took, its peak memory, and what the services saw of it. Sizes are in bytes."""

    taken: Taken
    peak: int
    requests: dict[str, int]
    operations: dict[str, int]
    read: int
    written: int


class _Watch:
    """Notes the CPU seconds of this process at the end of each activity."""

    def __init__(self) -> None:
        self.ends: dict[str, list[float]] = {}

    def around(self, activity: Activity[Any, Any]) -> Activity[Any, Any]:
        """Return the activity, watched."""

        async def run(resources: Resources, given: Any) -> Any:
            try:
                return await activity.run(resources, given)
            finally:
                self.ends.setdefault(activity.name, []).append(time.process_time())

        return replace(activity, run=run)


def limits_for(ranges: int, number: int) -> Limits:
    """Return limits that cut so many documents into about so many ranges.

    A range ends with the chunk that its last document is in, so it is larger than asked for by about a chunk.
    """
    sample = [len(line) for _key, line in documents(CORPORA[_CORPUS], _SAMPLE_BYTES, _SEED)]
    chunk = 2 ** boundary_bits(sum(sample) / len(sample))
    wanted = max(1, number // ranges - chunk + 1)
    return msgspec.structs.replace(LIMITS, smallest_range=1, largest_range_documents=wanted)


async def back_up(search_url: str, blobs_url: str, limits: Limits) -> Taken:
    """Back up the index within limits, in this process."""
    store = f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey=a2V5;BlobEndpoint={blobs_url}/{_ACCOUNT}"
    settings = Settings(
        stores={_STORE: StoreSettings(region="local", connection_string=EnvironmentSecret(env="STORE"))},
        services={
            _SERVICE: ServiceSettings(
                endpoint=search_url, region="local", tier="standard", store=_STORE, api_key=EnvironmentSecret(env="KEY")
            )
        },
    )
    watch = _Watch()
    rng = random.Random(_SEED)  # noqa: S311 - repeatable, not secrets
    started, cpu = time.perf_counter(), time.process_time()
    async with Clients(settings, environment={"STORE": store, "KEY": "key"}, rng=rng) as clients:
        resources = Resources(clients=clients, clock=lambda: datetime.now(UTC), rng=rng, report=lambda _progress: None)
        activities = [watch.around(each) for each in activities_within(limits)]
        async with LocalEngine(resources, activities, [BACK_UP_INDEX]) as engine:
            report = await engine.run(BACK_UP_INDEX, BackupJob(service=_SERVICE, index=_INDEX, run="ranges"))
    assert report.reading is not None  # noqa: S101 - a snapshot that is made now says how it was read
    scans = [watch.ends[PLAN.name][-1], *watch.ends[SCAN.name]]
    part = max(1, (len(scans) - 1) // _PARTS)
    ranges_of_part = part * report.reading.parts / (len(scans) - 1)
    return Taken(
        ranges=report.reading.parts,
        documents=report.documents,
        seconds=time.perf_counter() - started,
        cpu=time.process_time() - cpu,
        planned=scans[0] - cpu,
        read=scans[-1] - cpu,
        early=(scans[part] - scans[0]) / ranges_of_part,
        late=(scans[-1] - scans[-1 - part]) / ranges_of_part,
        calls={name: len(ends) for name, ends in watch.ends.items()},
    )


def measure(ranges: int, number: int) -> Found:
    """Back up about so many documents in about so many ranges, in a process of its own."""
    size = number * _document_bytes()
    with service("benchmarks.search_service") as search, service("benchmarks.blob_service") as blobs:
        search.control("/load", index=_INDEX, corpus=_CORPUS, bytes=size, seed=_SEED)
        search.control()
        process = run(["benchmarks.ranges", "--client", search.url, blobs.url, str(ranges), str(number)], PROJECT, {})
        searched, kept = search.control(), blobs.control()
    return Found(
        taken=msgspec.json.decode(process.output, type=Taken),
        peak=process.peak,
        requests=searched["requests"],
        operations=kept["operations"],
        read=kept["sent"],
        written=kept["received"],
    )


def _document_bytes() -> int:
    sample = [len(line) + 1 for _key, line in documents(CORPORA[_CORPUS], _SAMPLE_BYTES, _SEED)]
    return round(sum(sample) / len(sample))


def lines(found: Found) -> list[str]:
    """Return the figures as text."""
    taken = found.taken
    operations = ", ".join(f"{name} {number:,}" for name, number in sorted(found.operations.items()))
    reading, rest = taken.read - taken.planned, taken.cpu - taken.read
    requests = ", ".join(f"{name} {number:,}" for name, number in sorted(found.requests.items()))
    return [
        f"{taken.ranges:,} ranges, {taken.documents:,} documents in {taken.seconds:.1f} s",
        f"CPU {taken.cpu:.1f} s: {taken.planned:.1f} to plan, {reading:.1f} to read, {rest:.1f} to commit",
        f"CPU for a range: {taken.early * 1e3:.1f} ms in the first tenth, {taken.late * 1e3:.1f} in the last",
        f"peak {found.peak / MEGABYTE:.0f} MB",
        f"activities: {', '.join(f'{name} {number:,}' for name, number in taken.calls.items())}",
        f"search requests: {requests}",
        f"blob operations: {operations}",
        f"read from the store {found.read / MEGABYTE:.1f} MB, written {found.written / MEGABYTE:.1f} MB",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranges", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranges", type=int, default=10_000, help="about so many (default: 10,000)")
    parser.add_argument("--documents", type=int, default=500_000, help="fifty a range or more (default: 500,000)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--client", nargs=4, metavar="VALUE", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.client:
        search_url, blobs_url, ranges, number = given.client
        taken = asyncio.run(back_up(search_url, blobs_url, limits_for(int(ranges), int(number))))
        sys.stdout.write(msgspec.json.encode(taken).decode())
        return 0
    found = measure(given.ranges, given.documents)
    sys.stdout.write("\n".join([*lines(found), ""]))
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
