"""Feeds damaged and random input to everything that parses bytes from outside.

    python -m tests.soak.fuzz [--inputs 100000] [--seed 1] [--target NAME] [--only NUMBER]

Each input must give a value, or one of the project's own errors, within CPU_SECONDS and the bytes of memory that its
target allows. An input is drawn from the seed, the target and its number: name the three to repeat a failure.
"""

import argparse
import contextlib
import faulthandler
import logging
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tests.soak.fuzz_targets import TARGETS, Target

CPU_SECONDS = 5.0
"""CPU time that one input may take. Inputs are about a megabyte at most."""
ADDRESS_SPACE = 3 << 30
"""Bytes of address space beyond those at the start: what asks for more gets a MemoryError, so the machine is safe."""

KNOWN: dict[tuple[str, str, str], str] = {
    **{
        (target, kind, "indexvault/restore/selection.py:takes"): "a filter's CPU time and memory are not bounded yet"
        for target in ("filter", "restore-request")
        for kind in ("TooLongError", "TooLargeError", "MemoryError")
    },
}
"""Limitations that are known, by target, kind of failure and the innermost function of the project's: none fails a run,
each is counted. Take an entry out when its limitation is gone."""

STUCK_SECONDS = 3600
"""The longest one target may take. What hangs outside of Python sees no signal: then the process ends, with a trace."""

_MOST_SHOWN = 300
_PACKAGE = f"{Path(__file__).parents[2]}/"
_PEAKS = Path("/proc/self/clear_refs")


class TooLongError(BaseException):
    """An input took more CPU time than it may. No `except Exception` of the code under test catches it."""


class TooLargeError(Exception):
    """An input took more memory than it may."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What an input led to. `kind` is the exception's class, `where` the innermost function of the project's."""

    target: str
    kind: str
    where: str
    number: int
    shown: str
    trace: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What failures of one cause have in common."""
        return self.target, self.kind, self.where


@dataclass(slots=True)
class Report:
    """What a run showed of one target. `failures` has, for each cause, how often it came and the shortest input."""

    target: str
    inputs: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, 0)
    largest: tuple[int, int] = (0, 0)
    failures: dict[tuple[str, str, str], tuple[int, Failure]] = field(default_factory=dict)

    def add(self, failure: Failure) -> None:
        """Count a failure."""
        count, shortest = self.failures.get(failure.key, (0, failure))
        if len(failure.shown) < len(shortest.shown):
            shortest = failure
        self.failures[failure.key] = (count + 1, shortest)

    @property
    def unknown(self) -> list[tuple[int, Failure]]:
        """The failures that are no known limitation."""
        return [found for key, found in self.failures.items() if key not in KNOWN]


def draw(target: Target, seed: int, number: int) -> Any:
    """Return an input."""
    return target.draw(random.Random(f"{seed}/{target.name}/{number}"))


def run(target: Target, seed: int, numbers: Sequence[int]) -> Report:
    """Use the inputs of these numbers. The caller has the process guarded, see `guarded`."""
    report = Report(target.name)
    for number in numbers:
        given = draw(target, seed, number)
        _forget_peak()
        before, begun = _peak(), time.process_time()
        failed: BaseException | None = None
        try:
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            try:
                target.use(given)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        except target.raises:
            report.refused += 1
        except (Exception, TooLongError) as error:  # noqa: BLE001 - any other error is what is looked for
            failed = error
        taken, grown = time.process_time() - begun, _peak() - before
        if failed is None and grown > target.peak_bytes:
            failed = TooLargeError(f"{grown >> 20} MiB")
        if failed is not None:
            report.add(_failure(target, number, given, failed))
        report.inputs += 1
        report.seconds += taken
        report.slowest = max(report.slowest, (taken, number))
        report.largest = max(report.largest, (grown, number))
    return report


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn a hang into TooLongError and a huge allocation into MemoryError while the block runs. Only the main thread
    can enter it.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooLongError

    earlier = signal.signal(signal.SIGPROF, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _address_space() + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(soft, most), hard))
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, earlier)


def shares(inputs: int, targets: Sequence[Target] = TARGETS) -> list[tuple[Target, int]]:
    """Return how many of so many inputs each target gets, at least one."""
    whole = sum(target.weight for target in targets)
    return [(target, max(1, round(inputs * target.weight / whole))) for target in targets]


def _failure(target: Target, number: int, given: Any, error: BaseException) -> Failure:
    if isinstance(error, TooLargeError):
        return Failure(target.name, "TooLargeError", "", number, repr(given), str(error))
    where, trace = "", "".join(traceback.format_exception(error)[-12:])
    for frame, _line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code.co_filename.startswith(f"{_PACKAGE}indexvault/") or not where:
            where = f"{code.co_filename.removeprefix(_PACKAGE)}:{code.co_name}"
    return Failure(target.name, type(error).__name__, where, number, repr(given), trace)


def _forget_peak() -> None:
    """Make the kernel count the peak from now on, where it can."""
    with contextlib.suppress(OSError):
        _PEAKS.write_text("5", encoding="ascii")


def _peak() -> int:
    """Return the bytes of memory that the process held at most since the last `_forget_peak`."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _told(report: Report, seed: int) -> None:
    taken, slow = report.slowest
    grown, large = report.largest
    _print(
        f"{report.target:18}{report.inputs:8,} inputs{report.refused:8,} refused{report.seconds:8.1f} s"
        f"   slowest {taken * 1000:6.0f} ms (#{slow})   largest {grown >> 20:4} MiB (#{large})"
    )
    for key, (count, failure) in report.failures.items():
        command = f"python -m tests.soak.fuzz --seed {seed} --target {failure.target} --only {failure.number}"
        if key in KNOWN:
            _print(f"    known, {count} times: {KNOWN[key]}\n        {command}")
            continue
        shown = (
            failure.shown
            if len(failure.shown) <= _MOST_SHOWN
            else f"{failure.shown[:_MOST_SHOWN]}… ({len(failure.shown):,})"
        )
        _print(f"    FAILED {count} times: {failure.kind} in {failure.where}\n        {command}\n        {shown}")


def main() -> int:
    """Fuzz as the command line says. Return 1 if anything failed that is not known."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="over all targets (default 100000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what the inputs are drawn from (default 1)")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="only this one")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="only this input of the target, with the traceback")
    asked = parser.parse_args()
    chosen = [target for target in TARGETS if asked.target in {None, target.name}]
    begun, total, failed = time.monotonic(), 0, 0
    with guarded():
        for target, count in shares(asked.inputs, chosen):
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
            report = run(target, asked.seed, range(count) if asked.only is None else [asked.only])
            _told(report, asked.seed)
            total, failed = total + report.inputs, failed + len(report.unknown)
            if asked.only is not None:
                for _count, failure in report.failures.values():
                    _print(failure.trace)
    faulthandler.cancel_dump_traceback_later()
    seconds = time.monotonic() - begun
    _print(f"seed {asked.seed}: {total:,} inputs in {seconds:.0f} s, {failed} failures that are not known")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
