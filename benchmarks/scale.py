"""What very large indexes take, on paper, from measured constants: `python -m benchmarks.scale`.

It prints the tables of docs/scale.md. After the constants have changed, put them there again. With
`--documents N --bytes N` it prints those of one index.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.prices import price_of_operations, price_of_storage
from indexvault.backup.key_ranges import range_count, ranges_a_scan
from indexvault.backup.limits import LIMITS
from indexvault.maintenance.verification import STRETCHES_AT_ONCE
from indexvault.restore.stretches import stretch_bytes
from indexvault.snapshots.chunks import boundary_bits
from indexvault.snapshots.packs import PACK_TARGET
from indexvault.snapshots.tree import ROOT_ENTRIES, SEGMENT_BITS

PARALLEL = 4
INSTANCES = (1, 4, 20)
_GB = 1e9
_PAGE_DOCUMENTS = 1000


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: CPU seconds of one process for 10**9 bytes of documents, counts for each range or GB.

    `commit_microseconds` is CPU of the commit for each chunk, `commit_milliseconds` for each range, `rank_seconds` what
    one query for a key at a rank is assumed to take, `segment_bytes` what a segment is stored in, `plan_bytes` what a
    range takes in the plan.
    """

    backup: float = 14.6
    unchanged: float = 9.1
    verify: float = 7.9
    restore: float = 17.7
    commit_microseconds: float = 8.0
    commit_milliseconds: float = 5.9
    stored_per_gb: float = 0.419
    verify_reads_per_gb: float = 117
    restore_reads_per_gb: float = 652
    restore_writes_per_gb: float = 168
    writes_a_range: float = 2.05
    writes_unchanged: int = 5
    reads_a_range: float = 3.1
    plan_requests_a_range: float = 3
    read_requests_a_range: float = 1
    rank_seconds: float = 0.05
    segment_bytes: float = 1800
    plan_bytes: float = 60


CONSTANTS = Constants()


class Size(msgspec.Struct, frozen=True):
    """An index of documents of one size, in bytes."""

    name: str
    documents: int
    document_bytes: int

    @property
    def bytes(self) -> int:
        """Bytes of all documents."""
        return self.documents * self.document_bytes

    @property
    def gigabytes(self) -> float:
        """The same in 10**9 bytes."""
        return self.bytes / _GB

    @property
    def ranges(self) -> int:
        """Key ranges that a backup reads."""
        return range_count(self.documents, PARALLEL, LIMITS, average_bytes=self.document_bytes)

    @property
    def chunks(self) -> int:
        """Chunks of a snapshot, about."""
        return max(1, self.documents >> boundary_bits(self.document_bytes))


USUAL_SIZES = tuple(Size(f"{millions} million", millions * 10**6, 1000) for millions in (1, 10, 50, 100))
SIZES = (Size("1 TB", 10**9, 1000), Size("10 TB", 10**10, 1000))


def segments(chunks: int) -> tuple[int, int]:
    """Return the segments above so many chunks, and their levels, about."""
    number = levels = 0
    while chunks > ROOT_ENTRIES:
        chunks = math.ceil(chunks / 2**SEGMENT_BITS)
        number, levels = number + chunks, levels + 1
    return number, levels


def duration(seconds: float) -> str:
    """Return seconds in words, to two digits."""
    if seconds < 90:  # noqa: PLR2004 - a minute and a half
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:  # noqa: PLR2004 - an hour and a half
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36_000 else f"{seconds / 3600:.0f} h"  # noqa: PLR2004 - ten hours


def constants_table() -> list[str]:
    """Return the table of what was measured."""
    known = CONSTANTS
    return _table(
        ("measured", "value"),
        ("CPU s/GB of a backup, first / unchanged", f"{known.backup} / {known.unchanged}"),
        ("CPU s/GB of verify / restore with its proof", f"{known.verify} / {known.restore}"),
        (
            "CPU of the commit, for a chunk / a key range",
            f"{known.commit_microseconds} µs / {known.commit_milliseconds} ms",
        ),
        ("stored for each GB of documents", f"{known.stored_per_gb} GB"),
        ("blob reads for each GB, verify / restore", f"{known.verify_reads_per_gb} / {known.restore_reads_per_gb}"),
        ("blob writes for each GB, restore", f"{known.restore_writes_per_gb}"),
        ("blob writes / reads for each key range of a first backup", f"{known.writes_a_range} / {known.reads_a_range}"),
        (
            f"blob writes of an unchanged backup, and one more for each {LIMITS.checkpoint_bytes // 2**30} GiB",
            f"{known.writes_unchanged}",
        ),
        (
            "search requests for each key range, to plan / besides its pages",
            f"{known.plan_requests_a_range} / {known.read_requests_a_range}",
        ),
        ("stored for each segment", f"{known.segment_bytes} B"),
        ("a query for the key at a rank (assumed)", f"{known.rank_seconds * 1000:.0f} ms"),
    )


def shape_table(sizes: Sequence[Size] = SIZES) -> list[str]:
    """Return the table of how large what stands in the store is."""
    rows = []
    for size in sizes:
        number, levels = segments(size.chunks)
        stored = size.bytes * CONSTANTS.stored_per_gb
        rows.append(
            (
                size.name,
                f"{stored / _GB:,.0f} GB",
                f"{stored / PACK_TARGET:,.0f}",
                f"{size.chunks / 1e6:,.0f} million",
                f"{number / 1e6:.1f} million in {levels} levels",
                f"{number * CONSTANTS.segment_bytes / _GB:.1f} GB",
                f"{size.ranges:,}",
                f"{size.ranges * CONSTANTS.plan_bytes / 1e6:.1f} MB",
                f"{math.ceil(size.bytes / stretch_bytes(size.bytes)):,}",
            )
        )
    return _transposed(
        (
            *("", "stored", "packs", "chunks", "segments", "stored in segments", "key ranges", "plan"),
            "stretches of a restore",
        ),
        rows,
    )


def time_table(sizes: Sequence[Size] = SIZES) -> list[str]:
    """Return the table of CPU time, divided by instances."""
    known = CONSTANTS
    rows = []
    for size in sizes:
        for name, cost in (
            ("first backup", known.backup),
            ("unchanged", known.unchanged),
            ("restore", known.restore),
        ):
            total = cost * size.gigabytes
            rows.append((size.name, name, *(duration(total / number) for number in INSTANCES)))
        verify = known.verify * size.gigabytes
        at_once = (duration(verify / min(number, STRETCHES_AT_ONCE)) for number in INSTANCES)
        rows.append((size.name, f"verify, {STRETCHES_AT_ONCE} stretches at once", *at_once))
        alone = size.ranges * known.plan_requests_a_range * known.rank_seconds
        rows.append((size.name, "plan of the first backup, one after the other", *[duration(alone)] * len(INSTANCES)))
        commit = duration(_commit_seconds(size))
        rows.append((size.name, "commit, in one activity", *[commit] * len(INSTANCES)))
    return _table(("", "", *(f"{number} at work" for number in INSTANCES)), *rows)


def cost_table(sizes: Sequence[Size] = SIZES) -> list[str]:
    """Return the table of requests and money."""
    rows = []
    for size in sizes:
        for name, searched, puts, gets, money in _costs(size):
            rows.append((size.name, name, f"{searched:,.0f}", f"{puts:,.0f}", f"{gets:,.0f}", f"{money:,.2f}"))
        month = price_of_storage(round(size.bytes * CONSTANTS.stored_per_gb))
        rows.append((size.name, "storage, a month", "", "", "", f"{month:,.2f}"))
    return _table(("", "", "search requests", "blob writes", "blob reads", "US dollars"), *rows)


def _commit_seconds(size: Size) -> float:
    return size.chunks * CONSTANTS.commit_microseconds / 1e6 + size.ranges * CONSTANTS.commit_milliseconds / 1e3


def _costs(size: Size) -> Iterator[tuple[str, float, float, float, float]]:
    """Yield each operation with its search requests, blob writes, blob reads and US dollars."""
    known = CONSTANTS
    pages = size.documents / _PAGE_DOCUMENTS
    written = size.bytes * known.stored_per_gb / PACK_TARGET
    of_segments = segments(size.chunks)[0] * known.segment_bytes / PACK_TARGET
    of_ranges = known.writes_a_range * size.ranges
    searches = pages + known.read_requests_a_range * size.ranges
    planning = known.plan_requests_a_range * size.ranges
    gigabytes = size.gigabytes
    reads = known.reads_a_range * size.ranges
    for name, searched, puts, gets in (
        ("first backup", searches + planning, written + of_segments + of_ranges, reads),
        ("unchanged", searches, known.writes_unchanged + size.bytes // LIMITS.checkpoint_bytes, reads + of_segments),
        ("verify", 0, 0, known.verify_reads_per_gb * gigabytes),
        ("restore", 2 * pages, known.restore_writes_per_gb * gigabytes, known.restore_reads_per_gb * gigabytes),
    ):
        yield name, searched, puts, gets, price_of_operations({"PutBlob": round(puts), "GetBlob": round(gets)})


def overview_table(
    sizes: Sequence[Size] = USUAL_SIZES, *, page_seconds: float = 0.5, batch_seconds: float = 1.0
) -> list[str]:
    """Return the table of what usual indexes take, a row each: time with PARALLEL at work, requests, storage, money.

    Each time is that of indexvault or that of the service, whichever is longer: `page_seconds` and `batch_seconds` are
    what the service is assumed to take for a page and for a batch of 1,000 documents.
    """
    known = CONSTANTS
    rows = []
    for size in sizes:
        stored = size.bytes * known.stored_per_gb
        pages = math.ceil(size.documents / _PAGE_DOCUMENTS)
        searches = pages + (known.plan_requests_a_range + known.read_requests_a_range) * size.ranges
        alone = size.ranges * known.plan_requests_a_range * known.rank_seconds + _commit_seconds(size)
        reading, writing = pages * page_seconds / PARALLEL, pages * batch_seconds / PARALLEL
        own = (
            known.backup * size.gigabytes / PARALLEL,
            known.unchanged * size.gigabytes / PARALLEL,
            known.restore * size.gigabytes / PARALLEL,
        )
        times = (
            max(own[0], reading) + alone,
            max(own[1], reading) + _commit_seconds(size),
            max(own[2], reading + writing),
            known.verify * size.gigabytes,
        )
        first, again, _verify, restored = (money for _name, _searched, _puts, _gets, money in _costs(size))
        month = price_of_storage(round(stored))
        rows.append(
            (
                size.name,
                *(duration(seconds) for seconds in times),
                f"{searches:,.0f}",
                f"{stored / _GB:,.1f} GB",
                *(f"{money:,.2f}" for money in (first, again, restored, month)),
            )
        )
    return _table(
        (
            *("documents", "first backup", "unchanged", "restore", "verify", "search requests", "stored"),
            *("$ first", "$ unchanged", "$ restore", "$ a month"),
        ),
        *rows,
    )


def limits_of(size: Size) -> tuple[int, int, int]:
    """Return an index's ranges, how many each activity reads, and how many activities that makes."""
    each = ranges_a_scan(size.ranges)
    return size.ranges, each, math.ceil(size.ranges / each)


def _transposed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    columns = [names, *rows]
    return _table(*(tuple(column[at] for column in columns) for at in range(len(names))))


def _table(head: Sequence[str], *rows: Sequence[str]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], f"|{'-|' * len(head)}", *lines[1:]]


TABLES = (constants_table, overview_table, shape_table, time_table, cost_table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables of the page, or those of one index."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, metavar="N", help="an index of so many documents")
    parser.add_argument("--bytes", type=int, default=1000, metavar="N", help="JSON of a document (default: 1000)")
    parser.add_argument("--page-seconds", type=float, default=0.5, metavar="S", help="of the service (default: 0.5)")
    parser.add_argument("--batch-seconds", type=float, default=1.0, metavar="S", help="of the service (default: 1)")
    given = parser.parse_args(arguments)
    if given.documents is None:
        for table in TABLES:
            sys.stdout.write("\n".join([*table(), "", ""]))
        for size in SIZES:
            sys.stdout.write(f"{size.name}: ranges, ranges an activity, activities: {limits_of(size)}\n")
        return 0
    if given.documents < 1 or given.bytes < 1:
        parser.error("both numbers are above zero")
    one = (Size(f"{given.documents:,}", given.documents, given.bytes),)
    overview = overview_table(one, page_seconds=given.page_seconds, batch_seconds=given.batch_seconds)
    for each in (overview, shape_table(one), time_table(one), cost_table(one)):
        sys.stdout.write("\n".join([*each, "", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
