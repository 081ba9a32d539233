"""The project as git knows it, and what its requirements say."""

import re
import subprocess
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2]


def tracked() -> list[str]:
    """Return the paths of the files that git tracks and that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True)  # noqa: S607 -- the git of whoever runs the tests
    return [name for name in listed.stdout.split("\0") if name and (PROJECT / name).exists()]


def text_of(name: str) -> str:
    """Return a tracked file's text; binary fixtures have none."""
    try:
        return (PROJECT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def wanted(kind: str) -> list[Requirement]:
    """Return the requirements of an .in file, without its comments and its references to other files."""
    lines = (PROJECT / f"{kind}.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pins(kind: str) -> dict[str, str]:
    """Return the versions of a compiled file, by name."""
    found = {}
    for line in re.sub(r" \\\n +--hash=", " --hash=", (PROJECT / f"{kind}.txt").read_text()).splitlines():
        pin = re.fullmatch(r"([a-z0-9-]+)==([0-9a-z.]+)(?: --hash=sha256:[0-9a-f]{64})+", line)
        assert pin, f"{kind}.txt: {line!r} is not an exact version with hashes"
        found[pin[1]] = pin[2]
    return found
