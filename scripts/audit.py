"""Look pinned versions up in the database of vulnerabilities that pip-audit knows.

    scripts/audit.py PIP-AUDIT FILE...      each FILE has exact versions with hashes

Fails if a version is vulnerable. Where no database can be reached it says so and passes: a build without a network is
no worse for it. One version is looked up first, so that an index without such data is not asked for all of them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SECONDS = 600


def main(arguments: Sequence[str]) -> int:
    """Look every file up, and return the exit code."""
    program, *files = arguments
    worst = 0
    for name in files:
        text = Path(name).read_text(encoding="utf-8")
        first = _look_up(program, _first_pin(text))
        if first is None or all("skip_reason" in entry for entry in first):
            sys.stdout.write(f"{name}: not looked up, since no database of vulnerabilities could be reached\n")
            continue
        found = _look_up(program, text)
        if found is None:
            sys.stdout.write(f"{name}: not looked up, since the database of vulnerabilities failed\n")
            continue
        worst = max(worst, _tell(name, found))
    return worst


def _first_pin(text: str) -> str:
    """Return the first version of a file of pins, with its hashes."""
    lines = text.splitlines(keepends=True)
    end = next((at for at, line in enumerate(lines) if not line.rstrip().endswith("\\")), len(lines))
    return "".join(lines[: end + 1])


def _look_up(program: str, pins: str) -> list[dict[str, Any]] | None:
    """Return what is known of each version, or None if pip-audit wrote no report."""
    with tempfile.TemporaryDirectory() as folder:
        asked, report = Path(folder) / "pins.txt", Path(folder) / "report.json"
        asked.write_text(pins, encoding="utf-8")
        # Pins with hashes name everything there is, so nothing is resolved or downloaded.
        options = ["--require-hashes", "--disable-pip", "--timeout", "5", "--progress-spinner", "off"]
        command = [program, "--requirement", str(asked), *options, "--format", "json", "--output", str(report)]
        try:
            subprocess.run(command, check=False, capture_output=True, timeout=_SECONDS)  # noqa: S603 - the Makefile's own
            found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            return None
    return found


def _tell(name: str, found: Sequence[dict[str, Any]]) -> int:
    vulnerable = [entry for entry in found if entry.get("vulns")]
    for entry in vulnerable:
        ids = ", ".join(vulnerability["id"] for vulnerability in entry["vulns"])
        sys.stdout.write(f"{name}: {entry['name']} {entry['version']} is vulnerable: {ids}\n")
    skipped = sum("skip_reason" in entry for entry in found)
    left_out = f", {skipped} of them unknown to the database" if skipped else ""
    sys.stdout.write(f"{name}: {len(found)} versions looked up{left_out}, {len(vulnerable)} vulnerable\n")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
