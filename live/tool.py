"""Run indexvault itself, as a process with settings that name only the service under test and the given store."""

import asyncio
import contextlib
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

STORE_NAME = "live"
KEY_VARIABLE = "INDEXVAULT_LIVE_KEY"
_COMMAND_SECONDS = 3600.0
_KEY_IN_TEXT = re.compile(r"AccountKey=|SharedAccessSignature=|[?&]sig=", re.IGNORECASE)


class Ran(msgspec.Struct, frozen=True):
    """A command that has ended: its exit code, its records, and the last line that it wrote to stderr."""

    code: int
    records: list[dict[str, Any]]
    error: str

    def record(self, event: str) -> dict[str, Any]:
        """Return the last record of an event, empty if there is none."""
        return next((each for each in reversed(self.records) if each.get("event") == event), {})


def store_settings_of(store: str) -> dict[str, Any]:
    """Return the settings of a store that the command line names.

    `https://…` is an account for this machine's Entra identity, `env:NAME` a variable that holds a connection string.
    Raises ValueError for anything else, and for a text with a secret in it.
    """
    if _KEY_IN_TEXT.search(store):
        raise ValueError("STORE holds a secret, which every process can see: put it into a variable, and use env:NAME")
    if store.startswith("env:"):
        if not os.environ.get(store[4:]):
            raise ValueError(f"STORE names the variable {store[4:]}, which is not set")
        return {"connection_string": {"env": store[4:]}, "region": "local"}
    if store.startswith("https://"):
        return {"account_url": store, "region": "local"}
    if store == "UseDevelopmentStorage=true":
        return {"connection_string": store, "region": "local"}
    raise ValueError("STORE is neither https://ACCOUNT.blob.core.windows.net nor env:NAME of a connection string")


def settings_of(service: str, endpoint: str, store: Mapping[str, Any], *, tier: str, by_key: bool) -> dict[str, Any]:
    """Return settings with one service and one store."""
    return {
        "stores": {STORE_NAME: dict(store)},
        "services": {
            service: {
                "endpoint": endpoint,
                "region": "local",
                "tier": tier,
                "store": STORE_NAME,
                **({"api_key": {"env": KEY_VARIABLE}} if by_key else {}),
            }
        },
    }


class Tool:
    """Runs commands of indexvault one after the other. `service` is the service's name in the settings."""

    def __init__(self, service: str, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.service = service
        self._environment = {**environment, "INDEXVAULT_CONFIG": msgspec.json.encode(settings).decode()}

    async def run(self, *arguments: str) -> Ran:
        """Run a command to its end. It is stopped with this task."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "indexvault", *arguments, "--json",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                stdout, stderr = await process.communicate()
        finally:
            await _end(process)
        lines = stderr.decode(errors="replace").strip().splitlines()
        return Ran(process.returncode or 0, _records(stdout), lines[-1][:300] if lines else "")


def new_record_key() -> str:
    """Return a key to sign records with, for one run."""
    return secrets.token_hex(32)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let a process that is still running end in order, then at once."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _records(stdout: bytes) -> list[dict[str, Any]]:
    found = []
    for line in stdout.splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            found.append(msgspec.json.decode(line))
    return [each for each in found if isinstance(each, dict)]
