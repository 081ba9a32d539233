"""Play the disaster: `python -m tests.disaster [--documents N] [--before SECONDS] [--after SECONDS] [--pairs …]`."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.disaster.scenario import Disaster, Size
from tests.disaster.settings import PAIRS
from tests.disaster.story import play


def main() -> int:
    """Play it in a folder that is removed afterwards, and return 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.disaster", description=__doc__)
    parser.add_argument("--documents", type=int, default=5000, help="documents of each index")
    parser.add_argument("--before", type=float, default=150.0, help="seconds of writing before the failure")
    parser.add_argument("--after", type=float, default=60.0, help="seconds of writing after the failover")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=PAIRS, metavar="PAIR", help=" ".join(PAIRS))
    parser.add_argument("--folder", type=Path, help="where to keep what the regions hold, their logs and the dumps")
    options = parser.parse_args()
    size = Size(tuple(options.pairs), options.documents, options.before, options.after)
    if options.folder is not None:
        options.folder.mkdir(parents=True)
        return _play(options.folder, size)
    with tempfile.TemporaryDirectory(prefix="indexvault-disaster-") as folder:
        return _play(Path(folder), size)


def _play(folder: Path, size: Size) -> int:
    disaster = Disaster(folder, size, _tell)
    with disaster.running():
        play(disaster)
    _tell("\n" + "\n".join(report(disaster)))
    return 0 if all(each.holds for each in disaster.checks) else 1


def report(disaster: Disaster) -> list[str]:
    """Return the figures, and what did not hold."""
    broken = [each for each in disaster.checks if not each.holds]
    width = max((len(name) for name in disaster.figures), default=0)
    return [
        *(f"{name:{width}}  {figure}" for name, figure in disaster.figures.items()),
        f"{len(disaster.checks)} checks, {len(broken)} failed",
        *(f"FAILED {each.what}: {each.seen}" for each in broken),
    ]


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
