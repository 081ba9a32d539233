"""`make conformance`: the SDK's live tests and samples against the emulator, and a table of what came of them."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console

from tests.conformance.live_tests import FILES, run_file
from tests.conformance.outcomes import Outcome, Verdict, out_of_scope, verdicts
from tests.conformance.report import every, totals
from tests.conformance.samples import SAMPLES, run_sample
from tests.conformance.source import NoSourceError, archive, unpacked, version


def main() -> int:
    """Run everything; the exit status is 1 if anything failed that is in scope."""
    console = Console(width=None if sys.stdout.isatty() else 180)
    try:
        packed = archive()
    except NoSourceError as problem:
        console.print(f"The SDK's source distribution can't be downloaded from here: {problem}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        source = unpacked(packed, Path(folder))
        tests, samples = asyncio.run(_run(source))
    sdk = f"azure-search-documents {version()}"
    console.print(
        every(f"Live tests of {sdk}", tests), every(f"Samples of {sdk}", samples), totals(sdk, tests, samples)
    )
    return int(any(one.result == "failed" for one in [*tests, *samples]))


async def _run(source: Path) -> tuple[list[Verdict], list[Verdict]]:
    at_once = asyncio.Semaphore(os.process_cpu_count() or 1)

    async def limited[Result](run: Callable[[Path, str], Awaitable[Result]], file: str) -> Result:
        async with at_once:
            return await run(source, file)

    tests = await asyncio.gather(*(limited(run_file, file) for file in FILES))
    samples = await asyncio.gather(*(limited(run_sample, file) for file in SAMPLES))
    return _judged([outcome for file in tests for outcome in file]), _judged(samples)


def _judged(outcomes: Sequence[Outcome]) -> list[Verdict]:
    return verdicts(outcomes, out_of_scope())


if __name__ == "__main__":
    sys.exit(main())
