"""Read the runs that the status tells of: those unfinished, the newest, and the newest of each policy."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from indexvault.errors import IndexvaultError, from_record
from indexvault.model import IndexName
from indexvault.settings.model import PolicySettings, Settings
from indexvault.settings.patterns import select
from indexvault.settings.policies import recovery_point_of
from indexvault.settings.schedule import Schedule
from indexvault.snapshots.run_names import OPEN_PREFIX, run_of
from indexvault.snapshots.store import RunBlobs
from indexvault.status.facts import LastRun, PolicyFacts, RunFacts
from indexvault.workflow.activity import Resources
from indexvault.workflow.estimates import Estimate, estimate
from indexvault.workflow.progress import read_progress
from indexvault.workflow.runs import Item, RunRecord, Runs

NEWEST = 20
"""Runs that are shown beside the unfinished ones."""
_MOST_UNFINISHED = 50
_MOST_WITH_PROGRESS = 200
_MOST_NAMED = 100
_POLICY = "-policy-"
"""What the name of a policy's run has between the time and the policy. See `maintenance.schedule`."""


class RunReadings(msgspec.Struct, frozen=True):
    """The records that were read, newest first, how far their items are, and those that can't be read, in words."""

    records: tuple[RunRecord, ...] = ()
    estimates: dict[str, Estimate] = {}
    unread: tuple[str, ...] = ()

    def running(self, service: str, index: str) -> str | None:
        """Return the unfinished backup that works on an index, or is about to, or None."""
        name = IndexName(service, index)
        for record in self.records:
            if record.is_finished or record.kind not in {"backup", "move"} or record.service != service:
                continue
            chosen = select([index], record.choose).found if not record.items else []
            if chosen or any(name in item.indexes and item.outcome.state == "waiting" for item in record.items):
                return record.run
        return None

    def last(self, service: str, index: str) -> LastRun | None:
        """Return what became of an index in the newest backup that has finished with it, or None."""
        name = IndexName(service, index)
        for record in self.records:
            if record.kind != "backup":
                continue
            for item in record.items:
                if item.index == name and item.outcome.state not in {"waiting", "cancelled", "gone"}:
                    failure = item.outcome.failure
                    return LastRun(
                        run=record.run,
                        state=item.outcome.state,
                        finished=item.finished,
                        failure=None if failure is None else str(from_record(failure)),
                    )
        return None


async def read_runs(
    resources: Resources, store: str, policies: Sequence[str], now: datetime, *, room: int
) -> RunReadings:
    """Read the runs of a store. `room` is how many records are read at once.

    Unlike `Runs.unfinished`, it removes no mark. Raises RemoteError and NotFoundError if the runs can't be listed.
    """
    blobs = resources.clients.store(store).runs
    runs = Runs(blobs)
    names, unfinished = await asyncio.gather(runs.names(), _unfinished(blobs))
    newest = names[:NEWEST]
    of_policies = [
        next((name for name in names if name.partition(_POLICY)[2] == policy), None) for policy in policies
    ]  # fmt: skip
    wanted = dict.fromkeys([*unfinished, *newest, *filter(None, of_policies)])
    places = asyncio.Semaphore(room)

    async def read(name: str) -> RunRecord | str | None:
        async with places:
            try:
                return await runs.read(name)
            except IndexvaultError as error:
                return f"run {name}: {error.what}"

    found = await asyncio.gather(*map(read, wanted))
    records = [record for record in found if isinstance(record, RunRecord)]
    records.sort(key=lambda record: (record.created, record.run), reverse=True)
    estimates: dict[str, Estimate] = {}

    async def follow(record: RunRecord, item: Item) -> None:
        async with places:
            stores = {_store_of(resources.clients.settings, each.service) or store for each in item.indexes}
            progress = await read_progress([resources.clients.store(name).runs for name in sorted(stores)], item.run)
            if progress is not None:
                estimates[item.run] = estimate(record.kind, progress, now)

    at_work = [
        (record, item)
        for record in records
        if not record.is_finished
        for item in record.items
        if item.outcome.state == "waiting"
    ]
    await asyncio.gather(*(follow(record, item) for record, item in at_work[:_MOST_WITH_PROGRESS]))
    return RunReadings(tuple(records), estimates, tuple(each for each in found if isinstance(each, str)))


async def _unfinished(blobs: RunBlobs) -> list[str]:
    marked = [run_of(blob.name) async for blob in blobs.list(OPEN_PREFIX)]
    return sorted((name for name in marked if name is not None), reverse=True)[:_MOST_UNFINISHED]


def _store_of(settings: Settings, service: str) -> str | None:
    return settings.services[service].store if service in settings.services else None


def run_facts(found: RunReadings, store: str) -> list[RunFacts]:
    """Return the facts about the runs that were read: the unfinished ones, then the newest others."""
    facts = [_run(record, store, found.estimates) for record in found.records]
    facts.sort(key=lambda run: run.is_finished)
    return facts[: max(NEWEST, sum(not run.is_finished for run in facts))]


def _run(record: RunRecord, store: str, estimates: dict[str, Estimate]) -> RunFacts:
    ended = [item for item in record.items if item.outcome.state != "waiting"]
    at_work = [estimates[item.run] for item in record.items if item.run in estimates and not record.is_finished]
    left = [each.seconds_left for each in at_work if each.seconds_left is not None]
    waits = len(ended) + len(at_work) < len(record.items)
    rates = [each.rate for each in at_work if each.rate is not None]
    expected = [each.whole for each in at_work if each.whole is not None]
    is_known = bool(at_work) and len(expected) == len(at_work)
    return RunFacts(
        run=record.run,
        kind=record.kind,
        state="running" if at_work and record.state == "waiting" else record.state,
        service=record.service,
        asked=record.asked,
        store=store,
        started_by=record.owner,
        created=record.created,
        policy=record.policy,
        started=record.started,
        finished=record.finished,
        items=len(record.items),
        ended=len(ended),
        failed=sum(item.outcome.state == "failed" for item in record.items),
        indexes=tuple(str(item.index) for item in record.items[:_MOST_NAMED]),
        stage=at_work[0].stage if len(at_work) == 1 else None,
        documents=sum(each.done for each in at_work) if at_work else None,
        expected=sum(expected) if is_known else None,
        bytes=sum(item.outcome.bytes or 0 for item in ended) + sum(each.bytes for each in at_work),
        rate=round(sum(rates), 1) if rates else None,
        seconds_left=max(left) if left and not waits and len(left) == len(at_work) else None,
        failure=None if record.failure is None else str(from_record(record.failure)),
    )


def policy_facts(name: str, policy: PolicySettings, found: RunReadings | None, now: datetime) -> PolicyFacts:
    """Return the facts about a policy."""
    schedule = Schedule(policy.schedule, on=f"policy {name}")
    records = found.records if found is not None else ()
    last = next((record for record in records if record.policy == name), None)
    failure = None
    if last is not None and last.state == "failed":
        failed = sum(item.outcome.state == "failed" for item in last.items)
        failure = str(from_record(last.failure)) if last.failure is not None else f"{failed} of its indexes failed"
    return PolicyFacts(
        policy=name,
        schedule=policy.schedule,
        recovery_point=recovery_point_of(policy),
        next_run=schedule.next(now),
        last_run=last.run if last is not None else None,
        last_state=last.state if last is not None else None,
        last_finished=last.finished if last is not None else None,
        failure=failure,
    )
