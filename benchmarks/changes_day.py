"""A day of snapshots every five minutes, on the emulator: what it takes, and what is kept.

    python -m benchmarks.changes_day [--documents 20000] [--ticks 288] [--json FILE]

One process holds an emulated service, a store in memory and the embedded engine; the clock is passed in, so a day takes
minutes. Between two ticks a writer changes, adds and deletes some documents; at night it rests. Every 50th change does
not set the field. The first run and the last read the whole index: the last proves the day, and says what was missed.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from emulator.server import Running, running
from emulator.service import EmulatedService
from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.workflow import ACTIVITIES, BACK_UP_INDEX
from indexvault.clients import Clients
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.settings.model import (
    ChangesSettings,
    EnvironmentSecret,
    PolicySettings,
    ServiceSettings,
    Settings,
    StoreSettings,
)
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.retention import Retention
from indexvault.workflow.activity import Resources
from indexvault.workflow.local import LocalEngine
from tests.memory_store import MemoryStore

_SERVICE, _INDEX = "contoso", "orders"
_CHANGES = ChangesSettings(field="written", prove_every=timedelta(days=1))
_KEEP = Retention(within=timedelta(hours=2), hourly=24, daily=7)
_TICK = timedelta(minutes=5)
_NIGHT_ENDS = 6
"""The writer rests before this hour."""
_CARELESS = 50
"""One change of so many does not set the field."""
_BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
_FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
    {"name": "written", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True},
    {"name": "amount", "type": "Edm.Int32"},
    {"name": "text", "type": "Edm.String"},
]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What a day took: runs by their kind, requests to the service by kind of run, changes, bytes in the store."""

    documents: int
    ticks: int
    runs: dict[str, int]
    requests: dict[str, int]
    most_requests: dict[str, int]
    changed: int
    added: int
    deleted: int
    careless: int
    missed: int
    first_bytes: int
    bytes: int
    kept: dict[str, int]
    run_records: int


class _Writer:
    """Writes to the index as an application does, and remembers the keys that are there."""

    def __init__(self, clients: Clients, documents: int) -> None:
        self._clients = clients
        self._rng = random.Random(1)  # noqa: S311 - the same day each time
        self._keys = [self._key() for _ in range(documents)]
        self.counts: Counter[str] = Counter()

    def _key(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"

    async def fill(self, moment: datetime) -> None:
        for start in range(0, len(self._keys), 1000):
            await self._send([upload_action(self._document(key, moment)) for key in self._keys[start : start + 1000]])

    async def write(self, moment: datetime) -> None:
        """Change some documents, add some and delete some; rest at night, and now and then."""
        if moment.hour < _NIGHT_ENDS or self._rng.random() < 0.2:  # noqa: PLR2004 - one tick of five is quiet
            return
        actions = []
        for key in self._rng.sample(self._keys, self._rng.randint(1, 20)):
            careless = self._rng.randrange(_CARELESS) == 0
            self.counts["careless" if careless else "changed"] += 1
            actions.append(upload_action(self._document(key, _BEGIN - timedelta(days=30) if careless else moment)))
        for _ in range(self._rng.randint(0, 3)):
            self._keys.append(self._key())
            actions.append(upload_action(self._document(self._keys[-1], moment)))
            self.counts["added"] += 1
        for _ in range(self._rng.randint(0, 2)):
            actions.append(delete_action("id", self._keys.pop(self._rng.randrange(len(self._keys)))))
            self.counts["deleted"] += 1
        await self._send(actions)

    async def _send(self, actions: list[bytes]) -> None:
        answer = await self._clients.service(_SERVICE).index_documents(_INDEX, batch(actions))
        if not all(each.status for each in answer.results.values()):
            raise RuntimeError("the emulator refused a document")

    def _document(self, key: str, moment: datetime) -> bytes:
        amount = self._rng.randrange(1_000_000)
        written = f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
        return msgspec.json.encode({"id": key, "written": written, "amount": amount, "text": f"order {amount} " * 40})


async def simulate(documents: int, ticks: int) -> Day:
    """Simulate a day and return what it took."""
    now = _BEGIN - timedelta(hours=1)
    rng = random.Random(2)  # noqa: S311 - the same day each time
    store = MemoryStore("local", lambda: now)
    async with running([EmulatedService(name=_SERVICE, tier="standard", region="eastus", api_key="key")]) as emulator:
        settings = _settings(emulator)
        async with Clients(settings, environment={"KEY": "key"}, rng=rng, stores={"local": store}) as clients:
            resources = Resources(clients=clients, clock=lambda: now, rng=rng, report=lambda _update: None)
            await clients.service(_SERVICE).create_index(
                _INDEX, msgspec.json.encode({"name": _INDEX, "fields": _FIELDS}), preview=False
            )
            writer = _Writer(clients, documents)
            await writer.fill(now - timedelta(days=1))
            runs: Counter[str] = Counter()
            requests: Counter[str] = Counter()
            most: Counter[str] = Counter()
            first = missed = 0
            async with LocalEngine(resources, ACTIVITIES, [BACK_UP_INDEX]) as engine:
                for tick in range(ticks + 1):
                    now = _BEGIN + tick * _TICK
                    before = await _asked(emulator)
                    job = BackupJob(
                        service=_SERVICE, index=_INDEX, run=f"tick-{tick}", policy="often", changes=_CHANGES
                    )
                    report = await engine.run(BACK_UP_INDEX, job)
                    taken = await _asked(emulator) - before
                    kind = _kind(report)
                    runs[kind] += 1
                    requests[kind] += taken
                    most[kind] = max(most[kind], taken)
                    first = first or await _stored(store)
                    missed += report.missed.documents if report.missed is not None else 0
                    now += _TICK / 2
                    await writer.write(now)
            kept = Counter(str(each.state) for each in await list_snapshots(store.snapshots))
            records = len([blob async for blob in store.runs.list("unchanged/")])
            return Day(
                documents=documents,
                ticks=ticks + 1,
                runs=dict(runs),
                requests=dict(requests),
                most_requests=dict(most),
                changed=writer.counts["changed"],
                added=writer.counts["added"],
                deleted=writer.counts["deleted"],
                careless=writer.counts["careless"],
                missed=missed,
                first_bytes=first,
                bytes=await _stored(store),
                kept=dict(kept),
                run_records=records,
            )


def _kind(report: BackupReport) -> str:
    if report.unchanged:
        return "unchanged"
    return "by changes" if report.presumption is not None else "in full"


def _settings(emulator: Running) -> Settings:
    policy = PolicySettings(service=_SERVICE, schedule="0 */5 * * * *", indexes=(_INDEX,), changes=_CHANGES, keep=_KEEP)
    return Settings(
        stores={"local": StoreSettings(region="local", connection_string="UseDevelopmentStorage=true")},
        services={
            _SERVICE: ServiceSettings(
                endpoint=emulator.endpoint(_SERVICE),
                region="eastus",
                tier="standard",
                store="local",
                api_key=EnvironmentSecret(env="KEY"),
            )
        },
        policies={"often": policy},
    )


async def _asked(emulator: Running) -> int:
    """Return how many requests the service has had, without the writer's."""
    url = f"{emulator.endpoint(_SERVICE)}/$emulator"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        tallies = (await answer.json())["requests"]
    return sum(each["requests"] for name, each in tallies.items() if name != "index_documents")


async def _stored(store: MemoryStore) -> int:
    return sum([blob.size async for blob in store.snapshots.list("")])


def table(day: Day) -> str:
    """Return the day as lines of a table."""
    lines = ["| runs | number | requests of a run, mean | most |", "|-|-:|-:|-:|"]
    lines += [
        f"| {kind} | {number} | {day.requests[kind] / number:.1f} | {day.most_requests[kind]} |"
        for kind, number in day.runs.items()
    ]
    written = (
        f"{day.documents:,} documents; {day.changed:,} changed, {day.added:,} added, {day.deleted:,} deleted,"
        f" {day.careless:,} changed without the field, of which the proof found {day.missed:,} missed"
    )
    kept = ", ".join(f"{number} {state}" for state, number in sorted(day.kept.items()))
    stored = (
        f"stored: {day.first_bytes:,} bytes after the first run, {day.bytes:,} at the end; kept: {kept};"
        f" {day.run_records} record of an unchanged index"
    )
    return "\n".join([*lines, "", written, stored])


def main() -> None:
    """Simulate the day and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--ticks", type=int, default=288)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    day = asyncio.run(simulate(given.documents, given.ticks))
    if given.json is not None:
        given.json.write_text(json.dumps(msgspec.to_builtins(day), indent=1), encoding="utf-8")
    sys.stdout.write(f"{table(day)}\n")


if __name__ == "__main__":
    main()
