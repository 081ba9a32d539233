"""What `indexvault compare` prints of differences and repairs."""

from collections.abc import Sequence

import msgspec
from rich.text import Text

from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count, one_line, short_value
from indexvault.cli.output import Output
from indexvault.errors import IndexvaultError
from indexvault.recovery.drift import Deviating, Drift, ServiceDrift
from indexvault.recovery.job import DriftReport

MOST_SHOWN = 24
"""Documents that are named to a person without --all; --json names them all."""
_SIGNS = {"missing": ("-", "red"), "extra": ("+", "green"), "different": ("~", "yellow")}


def print_uncompared(output: Output, index: str, error: IndexvaultError) -> int:
    """Print that an index was not compared, and return the exit code."""
    shown = Text(f"{one_line(index)} was not compared: {one_line(error.what)}. {one_line(error.do)}", "red")
    output.result("uncompared", {"index": index, **msgspec.to_builtins(error.record())}, shown)
    return FAILED


def print_objects(output: Output, drift: ServiceDrift) -> int:
    """Print what differs between a pair's other objects."""
    verdict = ("alike", "green") if drift.is_alike else ("differ", "yellow")
    output.result(
        "objects_drift",
        {
            "alike": drift.is_alike,
            "absent": msgspec.to_builtins(drift.absent),
            "objects": msgspec.to_builtins(drift.objects),
        },
        Text.assemble(verdict, "  other objects"),
        *_object_lines(drift),
    )
    return DONE if drift.is_alike else FAILED


def _object_lines(drift: ServiceDrift) -> Sequence[str]:
    return [
        *(f"  only in {each.only_in}: {each.kind} {one_line(each.name)}" for each in drift.absent),
        *(
            f"  {one_line(each.path)}: {short_value(each.before)} -> {short_value(each.after)}"
            for each in drift.objects
        ),
    ]


def print_report(output: Output, report: DriftReport, *, show_all: bool) -> int:
    """Print what differed, what was repaired and what is left, and return the exit code."""
    print_drift(output, report.drift, show_all=show_all)
    mended = report.mended
    if mended is not None:
        output.result(
            "repaired",
            msgspec.to_builtins(mended),
            f"{mended.target}: {count(mended.written, 'document')} written, {mended.deleted:,} deleted",
            *(f"  refused {one_line(key)}: {one_line(reason)}" for key, reason in mended.refused[:MOST_SHOWN]),
        )
    if report.left is not None:
        print_drift(output, report.left, show_all=show_all)
    return DONE if report.is_alike else FAILED


def print_drift(output: Output, drift: Drift, *, show_all: bool) -> None:
    """Print what differs between two indexes."""
    shown = drift.found if show_all else drift.found[:MOST_SHOWN]
    more = len(drift.found) + drift.left_out - len(shown)
    output.result(
        "drift",
        {"alike": drift.is_alike, **msgspec.to_builtins(drift)},
        _headline(drift),
        *_details(drift),
        *map(_found_line, shown),
        *([f"  … and {more:,} more{'' if show_all else ': --all names them'}"] if more else []),
    )


def _headline(drift: Drift) -> Text:
    sides = f"{drift.one} and {drift.other}"
    verdict = ("alike", "green") if drift.is_alike else ("differ", "yellow")
    return Text.assemble(verdict, "  ", (sides, "bold"))


def _details(drift: Drift) -> Sequence[str]:
    if drift.by_counts:
        differing = [each for each in drift.ranges if each.differs]
        known = [each for each in drift.ranges if each.one is not None and each.other is not None]
        total = f"{sum(each.one or 0 for each in known):,} and {sum(each.other or 0 for each in known):,} documents"
        lines = [f"  {total}; {len(differing):,} of {count(len(known), 'range')} differ; documents were not compared"]
    else:
        same = count(drift.identical + drift.equal, "document")
        deviating = f"{drift.different:,} different, {drift.missing:,} missing, {drift.extra:,} extra"
        lines = [f"  {same} the same; {deviating}; {count(drift.requests, 'request')}"]
    if drift.moving:
        lines.append(f"  {count(drift.moving, 'document')} changed while they were read: compare again")
    if drift.uncounted:
        lines.append(f"  {count(drift.uncounted, 'document')} more in {drift.other}, known by its count alone")
    if drift.not_compared.hidden or drift.not_compared.dropped:
        lines.append(f"  compared with {drift.not_compared.of(drift.one)}")
    lines += [
        f"  definition {one_line(each.path)}: {short_value(each.before)} -> {short_value(each.after)}"
        for each in drift.definition
    ]
    return lines


def _found_line(each: Deviating) -> Text:
    sign, style = _SIGNS[each.kind]
    line = Text.assemble("  ", (sign, style), f" {one_line(each.key)}")
    if each.moving:
        line.append("  changing", style="dim")
    return line


def print_services(output: Output, drift: ServiceDrift) -> None:
    """Print what differs between two services, after each of their indexes."""
    alike = sum(each.is_alike for each in drift.indexes)
    output.result(
        "service_drift",
        {
            "alike": drift.is_alike,
            "one": drift.one,
            "other": drift.other,
            "indexes": len(drift.indexes),
            "indexes_alike": alike,
            "absent": msgspec.to_builtins(drift.absent),
            "objects": msgspec.to_builtins(drift.objects),
            "unreadable": drift.unreadable,
        },
        f"{alike} of the {len(drift.indexes)} indexes that both have are alike",
        *_object_lines(drift),
        *(f"  {one_line(name)} was not compared: {one_line(reason)}" for name, reason in drift.unreadable),
    )
