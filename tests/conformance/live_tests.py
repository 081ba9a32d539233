"""Runs the SDK's live tests, a file at a time, each against an emulated service of its own."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from emulator.faults import Plan
from emulator.server import running
from emulator.service import EmulatedService
from tests.conformance.outcomes import Outcome

_STAND_INS = Path(__file__).with_name("stand_ins")
_SECONDS = 900
_SUBJECTS = (
    "knowledge_base",
    "knowledge_base_configuration",
    "knowledge_source_web",
    "search_client_basic",
    "search_client_buffered_sender",
    "search_client_index_document",
    "search_client_search",
    "search_index_client",
    "search_index_client_alias",
    "search_index_client_data_source",
    "search_index_client_skillset",
    "search_index_client_synonym_map",
    "search_indexer_client",
)
FILES = tuple(f"test_{subject}_live{kind}.py" for subject in _SUBJECTS for kind in ("", "_async"))
STORAGE = "DefaultEndpointsProtocol=https;AccountName=nowhere;AccountKey=bm90aGluZw==;EndpointSuffix=example.com"
"""For definitions that name a storage account; nothing ever connects to it."""
_OWN = {"NO_PROXY": "127.0.0.1", "PYTEST_ADDOPTS": ""}


class _Line(msgspec.Struct, frozen=True):
    """A line of what conformance_plugin writes."""

    test: str
    passed: bool
    why: str
    skipped_upstream: str | None


async def run_file(source: Path, file: str, *, faults: Plan | None = None) -> list[Outcome]:
    """Run one file of the unpacked source distribution; a file that can't run at all is one failed outcome."""
    results = source / f"{file}.results"
    results.unlink(missing_ok=True)
    setup = EmulatedService(name="conformance", faults=faults or Plan())
    async with running([setup]) as emulator:
        environment = {
            "PYTHONPATH": str(_STAND_INS),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "SEARCH_SERVICE_ENDPOINT": emulator.endpoint(setup.name),
            "SEARCH_SERVICE_NAME": setup.name,
            "SEARCH_API_KEY": setup.api_key,
            "SEARCH_STORAGE_CONNECTION_STRING": STORAGE,
            "SEARCH_STORAGE_CONTAINER_NAME": "container",
            "CONFORMANCE_RESULTS": str(results),
        }
        # No settings of ours, whose warnings are errors: the tests run as their authors run them.
        options = ["-c", os.devnull, "--rootdir", str(source), "-o", "asyncio_mode=auto", "-p", "no:cacheprovider"]
        plugins = ["-p", "pytest_asyncio.plugin", "-p", "conformance_plugin"]
        arguments = ["-m", "pytest", "--quiet", *options, *plugins, file]
        status, output = await python(arguments, source / "tests", environment)
    lines = results.read_bytes().splitlines() if results.exists() else []
    read = [msgspec.json.decode(line, type=_Line) for line in lines]
    found = [Outcome(file, one.test, one.passed, one.why, one.skipped_upstream) for one in read]
    if status != 0 and all(outcome.passed for outcome in found):
        found.append(Outcome(file, "(the whole file)", passed=False, why=output[-2000:].strip()))
    return found


async def python(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run this Python in a folder; return its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**os.environ, **_OWN, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        return 1, f"{output.decode(errors='replace')}\nwas stopped after {_SECONDS} seconds"
    return process.returncode or 0, output.decode(errors="replace")
