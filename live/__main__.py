"""Settle on a real Azure AI Search what nobody could confirm without one. `make live ENDPOINT=… STORE=…` runs it.

The API key is read from the variable that --key-env names; without it, this machine's Entra identity is used.
"""

import argparse
import asyncio
import os
import random
import re
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from azure.core.credentials import AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.search.credentials import authority
from indexvault.settings.load import read_settings
from live.clean_up import clean_service, clean_store
from live.record import DEFAULT_PREFIX, Record, require_prefix
from live.report import write_report
from live.run import run_checks
from live.site import Site
from live.table import ASSUMPTIONS, Assumption, estimate
from live.tool import KEY_VARIABLE, STORE_NAME, Tool, settings_of, store_settings_of
from live.wire import Wire

_FEWEST_FREE = 3
_TIERS = {3: "free", 5: "basic", 15: "basic", 50: "standard", 200: "standard2"}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class UsageError(Exception):
    """The checks can't begin; the text says why and what to do."""


def main(arguments: Sequence[str] | None = None, assumptions: Sequence[Assumption] = ASSUMPTIONS) -> int:
    """Run the checks, or clean up after earlier ones; return the exit code.

    0: nothing speaks against an assumption; 3: something does; 1: a check failed, or something could not be removed;
    2: it could not begin; 130: it was stopped, and what it had made is removed.
    """
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_main(options, assumptions))
    except (UsageError, ValueError, ConnectionError, IndexvaultError) as error:
        _say(f"live: {error}", sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("live: stopped; what it had made is removed", sys.stderr)
        return 130


async def _main(options: argparse.Namespace, assumptions: Sequence[Assumption]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    endpoint = _endpoint(options.endpoint)
    prefix = require_prefix(options.prefix)
    store_settings = store_settings_of(options.store)
    key = os.environ.get(options.key_env)
    record = Record(options.folder / "made.jsonl")
    run = secrets.token_hex(4)
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire(endpoint, await _credential(stack, endpoint, key)))
        tier = await _tier(wire)
        service = f"{prefix}{run}"
        settings = settings_of(service, endpoint, store_settings, tier=tier, by_key=key is not None)
        environment = {**os.environ, **({KEY_VARIABLE: key} if key is not None else {})}
        clients = await stack.enter_async_context(
            Clients(
                read_settings(msgspec.json.encode(settings)),
                environment=environment,
                rng=random.Random(),  # noqa: S311 - spreads retries
            )
        )
        store = clients.store(STORE_NAME)
        if options.clean:
            return await _clean(wire, store, prefix, record)
        await _ask_first(wire, options, assumptions, run)
        await store.prepare()
        site = Site(
            wire=wire,
            prefix=prefix,
            run=run,
            record=record,
            clock=lambda: datetime.now(UTC),
            documents=options.documents,
            patience=options.patience,
            fill_storage=options.fill_storage,
            tool=Tool(service, settings, environment),
        )
        site.note("service", service)
        report = await run_checks(site, store, assumptions, _say)
        path = write_report(report, options.folder / run)
        _say(f"\n{path.read_text(encoding='utf-8')}\n{path}")
        return report.exit_code


async def _clean(wire: Wire, store: Any, prefix: str, record: Record) -> int:
    """Remove what earlier runs have left."""
    made = record.read(wire.endpoint)
    indexes = await clean_service(wire, prefix, made)
    services = {each.name for each in made if each.kind == "service" and each.name.startswith(prefix)}
    blobs = await clean_store(store, services, min((each.at for each in made), default=datetime.now(UTC)))
    _say(f"removed {len(indexes.indexes)} indexes and {blobs.blobs} blobs")
    for name in (*indexes.kept, *blobs.kept):
        _say(f"kept {name}: it has the prefix, but not the mark of a live check, or could not be deleted")
    return 1 if indexes.kept or blobs.kept else 0


async def _ask_first(wire: Wire, options: argparse.Namespace, assumptions: Sequence[Assumption], run: str) -> None:
    """Say what will be made and what it costs, and wait for a yes. Raises UsageError without one."""
    free = await _free_indexes(wire)
    if free is not None and free < _FEWEST_FREE:
        raise UsageError(f"the service has room for {free} more indexes, and {_FEWEST_FREE} are needed at once")
    cost = estimate([each for each in assumptions if each.check is not None], options.documents)
    _say(
        f"On {wire.endpoint} this creates {cost.indexes} indexes one after the other, at most {_FEWEST_FREE} at once,"
        f" named {options.prefix}{run}-…, with {cost.documents:,} documents in all, and deletes them. It sends about"
        f" {cost.requests:,} requests at most.\n"
        f"In {_store_name(options.store)} it writes snapshots of some megabytes to the containers search-snapshots and"
        " search-runs, below a service name of its own, and deletes them.\n"
        "It takes up to an hour. A search service is billed by the hour whatever it is sent, so nothing is added there;"
        " the blob writes cost a few cents at most. Nothing else of the service or the store is changed."
        + ("\n--fill-storage fills the service's storage: writes of others fail for a moment." if options.fill_storage
           else "")
    )  # fmt: skip
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to say yes: give --yes (make live … FLAGS=--yes)")
    if (await asyncio.to_thread(input, "Go on? [yes/no] ")).strip().lower() != "yes":
        raise UsageError("nothing was made")


async def _credential(
    stack: AsyncExitStack, endpoint: str, key: str | None
) -> AzureKeyCredential | AsyncTokenCredential:
    if key is not None:
        return AzureKeyCredential(key)
    return await stack.enter_async_context(DefaultAzureCredential(authority=authority(endpoint)))


async def _counter(wire: Wire) -> Mapping[str, Any]:
    answer = await wire.ask("GET", "servicestats")
    if not answer.ok:
        raise UsageError(f"the service's statistics were answered {answer.told}: check the key or the roles")
    counter: Mapping[str, Any] = answer.json["counters"]["indexesCount"]
    return counter


async def _tier(wire: Wire) -> str:
    """Return the tier that the settings name, by the quota of indexes."""
    return _TIERS.get((await _counter(wire)).get("quota") or 0, "standard")


async def _free_indexes(wire: Wire) -> int | None:
    counter = await _counter(wire)
    quota = counter.get("quota")
    return None if quota is None else quota - counter["usage"]


def _endpoint(text: str) -> str:
    split = urlsplit(text)
    if split.scheme != "https" and not (split.scheme == "http" and split.hostname in _LOOPBACK):
        raise UsageError(f"ENDPOINT is {text!r}, not https://NAME.search.windows.net")
    return text.rstrip("/")


def _store_name(store: str) -> str:
    return re.sub(r"^env:", "the store of ", store)


def _say(line: str, stream: Any = None) -> None:
    out = stream or sys.stdout
    out.write(line + "\n")
    out.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m live", description=__doc__)
    parser.add_argument("--endpoint", required=True, help="https://NAME.search.windows.net")
    parser.add_argument("--store", required=True, help="https://ACCOUNT.blob.core.windows.net, or env:NAME")
    parser.add_argument("--key-env", default="SEARCH_API_KEY", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="of every index's name; default: %(default)s")
    parser.add_argument("--documents", type=int, default=2000, metavar="N", help="of a generated index; default: 2000")
    parser.add_argument("--patience", type=float, default=660.0, metavar="S", help="wait so long for counts (660)")
    parser.add_argument("--fill-storage", action="store_true", help="fill a small service's storage, to see its answer")
    parser.add_argument("--folder", type=Path, default=Path(".live"), help="of reports; default: .live")
    parser.add_argument("--clean", action="store_true", help="only remove what earlier runs have left")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    return parser


if __name__ == "__main__":
    sys.exit(main())
