"""The cost of every operation in time, CPU, memory, requests and money.

    python -m benchmarks.speed [--sizes 60 600] [--corpora text …] [--operations backup …]

indexvault's command line works on a search service and a blob service in memory, each in a process of its own; beside
it the floor (benchmarks/lean.py) and a script on the SDK (benchmarks/plain.py) do the same. CPU is that of the client
process, its start included, for 10**9 bytes of documents. `--json` and `--plot` keep the figures, `--before` shows
those of an earlier run beside the new ones.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.corpora import CORPORA
from benchmarks.measuring import PROJECT, Measured, service
from benchmarks.plot import bar_chart
from benchmarks.speed_case import OPERATIONS, Case, measure

_COLUMNS = (
    "corpus",
    "MB",
    "operation",
    "tool",
    "MB/s",
    "CPU s/GB",
    "x lean",
    "before",
    "peak MB",
    "searches",
    "writes",
    "blob wr.",
    "reads",
    "lists",
    "other",
    "added MB",
    "$/TB ops",
    "$/TB month",
    "search busy",
    "blobs busy",
)
_TEXTS = 4
"""Columns at the front that are not numbers to compare."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[60], help="megabytes (default: 60)")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    parser.add_argument("--tools", nargs="*", choices=("lean", "plain"), default=("lean", "plain"), help="beside ours")
    parser.add_argument("--changed", type=float, default=0.005, help="the share of documents that changes")
    parser.add_argument("--gzip", action="store_true", help="have the search service compress its answers")
    parser.add_argument("--package", type=Path, default=PROJECT, help="the folder that holds the package to measure")
    parser.add_argument("--before", type=Path, help="a file that --json wrote, to compare with")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw the CPU seconds here, as SVG")
    given = parser.parse_args(arguments)
    before = msgspec.json.decode(given.before.read_bytes(), type=list[Measured]) if given.before else []
    found: list[Measured] = []
    for megabytes in given.sizes:
        for corpus in given.corpora:
            case = Case(
                corpus=corpus,
                megabytes=megabytes,
                changed=given.changed,
                operations=given.operations,
                tools=given.tools,
                package=given.package.absolute(),
            )
            compresses = ("--gzip",) if given.gzip else ()
            with (
                service("benchmarks.search_service", *compresses) as search,
                service("benchmarks.blob_service") as blobs,
            ):
                for measured in measure(case, search, blobs):
                    found.append(measured)
                    sys.stderr.write(f"{' '.join(row(measured, found, before))}\n")
                    if given.json:  # after each, so that an interrupted run leaves what it has found
                        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    print_table(Console(width=230), found, before)
    if given.plot:
        given.plot.write_text(bar_chart(found))
    return 0


def print_table(console: Console, found: Sequence[Measured], before: Sequence[Measured]) -> None:
    """Print the figures, a line for each operation and tool."""
    table = Table(box=None, pad_edge=False)
    for position, heading in enumerate(_COLUMNS):
        table.add_column(heading, justify="left" if position < _TEXTS else "right", no_wrap=True)
    last = ""
    for measured in found:
        if last and last != measured.corpus:
            table.add_section()
        last = measured.corpus
        table.add_row(*row(measured, found, before))
    console.print(table)


def row(measured: Measured, found: Sequence[Measured], before: Sequence[Measured]) -> list[str]:
    """Return the cells of a line."""
    lean = _same(measured, found, tool="lean")
    earlier = _same(measured, before, tool=measured.tool)
    kinds = measured.blob_operations()
    writes = measured.requests.get("index documents", 0)
    return [
        measured.corpus,
        str(measured.megabytes),
        measured.operation,
        measured.tool,
        f"{measured.megabytes_per_second:.1f}",
        f"{measured.cpu_per_gb:.1f}",
        f"{measured.cpu / lean.cpu:.1f}" if lean else "",
        f"{earlier.cpu_per_gb:.1f}" if earlier else "",
        f"{measured.peak / 1e6:.0f}",
        f"{sum(measured.requests.values()) - writes:,}",
        f"{writes:,}",
        *(f"{kinds.get(kind, 0):,}" for kind in ("write", "read", "list")),
        f"{kinds.get('other', 0) + kinds.get('free', 0):,}",
        f"{measured.added / 1e6:.2f}",
        f"{measured.operations_price():.2f}",
        f"{measured.storage_price():.2f}",
        f"{measured.search_cpu / measured.seconds:.0%}",
        f"{measured.blobs_cpu / measured.seconds:.0%}",
    ]


def _same(measured: Measured, among: Sequence[Measured], *, tool: str) -> Measured | None:
    wanted = (measured.corpus, measured.megabytes, measured.operation, tool)
    return next((each for each in among if (each.corpus, each.megabytes, each.operation, each.tool) == wanted), None)


if __name__ == "__main__":
    sys.exit(main())
