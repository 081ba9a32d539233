"""Run random sequences: `python -m tests.soak [--sequences N] [--seed S] [--minutes M]`; `--seed S` alone repeats one.

`python -m tests.soak kill` kills each operation at every write instead, `python -m tests.soak suspend` suspends it at
every request.
"""

import argparse
import logging
import os
import sys
import time
from collections import Counter

from tests.soak.invariants import ViolationError
from tests.soak.kill_every_write import CASES, kills, perform
from tests.soak.known import KNOWN
from tests.soak.pauses import MEANWHILE, SUSPENDED, requests_of, suspend
from tests.soak.sequences import Result, play, shrunk


def main() -> int:
    """Run what the arguments say; return 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("sequences", "kill", "suspend"), default="sequences")
    parser.add_argument("--stride", type=int, default=1, help="with kill or suspend: only one in so many")
    parser.add_argument("--sequences", type=int, help="how many (default: as many as there is time for, else 1)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; the others follow it")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument("--steps", help="with one seed: only these steps, by position, such as 0,3,4")
    parser.add_argument("--enable", type=int, action="append", default=[], metavar="ITEM", choices=sorted(KNOWN))
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts would differ from run to run, and with it what a seed means.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.soak", *sys.argv[1:]], environment)  # noqa: S606 - itself
    logging.disable(logging.CRITICAL)
    if arguments.what == "kill":
        return _kill(arguments.stride)
    if arguments.what == "suspend":
        return _suspend(arguments.stride)
    enabled = frozenset(arguments.enable)
    if arguments.sequences is None and arguments.minutes is None:
        only = [int(each) for each in arguments.steps.split(",")] if arguments.steps else None
        result = play(arguments.seed, enabled=enabled, only=only)
        _show(result)
        return int(result.rule is not None)
    return _many(arguments, enabled)


def _many(arguments: argparse.Namespace, enabled: frozenset[int]) -> int:
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    failed: dict[str, list[int]] = {}
    sequences = steps = 0
    seed = arguments.seed
    while arguments.sequences is None or sequences < arguments.sequences:
        if arguments.minutes is not None and time.monotonic() - began > arguments.minutes * 60:
            break
        result = play(seed, enabled=enabled)
        sequences, steps = sequences + 1, steps + len(result.steps)
        outcomes.update(result.outcomes)
        if result.rule is not None:
            failed.setdefault(result.rule, []).append(seed)
            if len(failed[result.rule]) <= 3:
                needed, smallest = shrunk(result, enabled=enabled)
                _show(smallest)
                _say(f"repeat: python -m tests.soak --seed {seed} --steps {','.join(map(str, needed))}")
        seed += 1
    minutes = (time.monotonic() - began) / 60
    _say(f"{sequences} sequences, {steps} steps, {sum(outcomes.values())} commands in {minutes:.1f} min")
    _say(f"{sequences / max(minutes, 1e-9):.0f} sequences a minute, seeds {arguments.seed} to {seed - 1}")
    for outcome, times in sorted(outcomes.items()):
        _say(f"  {times:7,}  {outcome}")
    for rule, seeds in failed.items():
        _say(f"FAILED {len(seeds)} times: {rule}: seeds {', '.join(map(str, seeds[:20]))}")
    return int(bool(failed))


def _kill(stride: int) -> int:
    began = time.monotonic()
    failures = done = 0
    for case in CASES:
        chosen = kills(case)[::stride]
        for kill in chosen:
            done += 1
            try:
                perform(kill)
            except ViolationError as violation:
                failures += 1
                _say(f"VIOLATED: {violation}")
        _say(f"{case.name}: {len(chosen)} kills")
    _say(f"{done} kills, {failures} with a bad end, in {(time.monotonic() - began) / 60:.1f} min")
    return int(bool(failures))


def _suspend(stride: int) -> int:
    began = time.monotonic()
    failures = done = 0
    for case in SUSPENDED:
        requests = requests_of(case)
        for meanwhile in MEANWHILE:
            for pause_at in range(1, requests + 1, stride):
                done += 1
                try:
                    suspend(case, pause_at, meanwhile)
                except ViolationError as violation:
                    failures += 1
                    _say(f"VIOLATED: {violation}")
        _say(f"{case.name}: {requests} requests, with {len(MEANWHILE)} things meanwhile")
    _say(f"{done} suspensions, {failures} with a bad end, in {(time.monotonic() - began) / 60:.1f} min")
    return int(bool(failures))


def _show(result: Result) -> None:
    _say(f"seed {result.seed}: {'held' if result.rule is None else 'VIOLATED: ' + result.detail}")
    for line in result.log:
        _say(f"  {line}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
