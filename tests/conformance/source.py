"""The SDK's source distribution, which carries its live tests and samples: downloaded when needed, never committed."""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conformance import hotels

PROJECT = Path(__file__).parents[2]
_DOWNLOADS = PROJECT / ".downloads" / "conformance"
_REQUIREMENT = Path(__file__).with_name("sdk-source.txt")
_SECONDS = 120
_SYNONYMS = "USA, United States, United States of America\nWashington, Wash. => WA"


class NoSourceError(Exception):
    """The package registry can't be reached, or does not have the source distribution."""


def archive() -> Path:
    """Return the source distribution, from an earlier download or from the registry that pip is configured for."""
    found = _downloaded()
    if found is None:
        _download()
        found = _downloaded()
    if found is None:
        raise NoSourceError(f"pip downloaded no source distribution for {_REQUIREMENT.name}")
    return found


def unpacked(source: Path, folder: Path) -> Path:
    """Unpack the source distribution below a folder, with the data that it leaves out; return its own folder."""
    with tarfile.open(source) as packed:
        packed.extractall(folder, filter="data")
    inside = folder / source.name.removesuffix(".tar.gz")
    for name, text in _left_out().items():
        path = inside / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return inside


def _left_out() -> Mapping[str, str]:
    return {
        "tests/hotel_schema.json": json.dumps(hotels.definition()),
        "tests/hotel_small.json": json.dumps({"value": hotels.ten()}),
        "tests/hotel_large.json": json.dumps({"value": hotels.sixty()}),
        "samples/data/synonym_map.txt": _SYNONYMS,
        "samples/data/query_vector.json": json.dumps(hotels.vector("query")),
        "samples/data/hotels_with_description_vector.json": json.dumps({"value": hotels.sample_hotels_with_vectors()}),
    }


def _downloaded() -> Path | None:
    name, version = _pinned()
    path = _DOWNLOADS / f"{name.replace('-', '_')}-{version}.tar.gz"
    return path if path.exists() else None


def _pinned() -> tuple[str, str]:
    """Return the name and version of the source distribution."""
    line = next(line for line in _REQUIREMENT.read_text().splitlines() if not line.startswith("#"))
    name, _, version = line.split()[0].partition("==")
    return name, version


def version() -> str:
    """Return the version of the source distribution."""
    return _pinned()[1]


def _download() -> None:
    """Download it whole or not at all: test processes that find the file may start at once."""
    _DOWNLOADS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_DOWNLOADS) as folder:
        # Only this package from source: pip asks its build for metadata, and building the build's tools takes longer.
        only = ["--no-deps", "--no-binary", _pinned()[0], "--require-hashes", "--requirement", str(_REQUIREMENT)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
        try:
            subprocess.run([*command, *only, "--dest", folder], check=True, timeout=_SECONDS, capture_output=True)  # noqa: S603 -- our own words
        except subprocess.CalledProcessError as problem:
            raise NoSourceError("\n".join(_last_words(problem.stderr))) from problem
        except subprocess.TimeoutExpired as problem:
            raise NoSourceError(f"pip took longer than {_SECONDS} seconds") from problem
        for found in Path(folder).glob("*.tar.gz"):
            found.replace(_DOWNLOADS / found.name)


def _last_words(stderr: bytes) -> Iterator[str]:
    lines = stderr.decode(errors="replace").splitlines()
    yield next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "pip failed")
