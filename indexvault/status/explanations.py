"""Explain policies: when each ran and runs next, and which snapshots its retention keeps, and why.

Nothing is written, and nothing is decided that a prune would not decide by the same function, on what listings say.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from indexvault.errors import NotFoundError, from_record
from indexvault.maintenance.holds import list_holds
from indexvault.maintenance.pins import list_pins
from indexvault.maintenance.targets import store_indexes
from indexvault.settings.model import PolicySettings, Settings
from indexvault.settings.patterns import select
from indexvault.settings.policies import recovery_point_of, retentions
from indexvault.settings.schedule import Schedule
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.retention import Decision, decide
from indexvault.suggestions import suggestion
from indexvault.workflow.activity import Resources
from indexvault.workflow.runs import RunRecord, Runs

MOST_SNAPSHOTS = 200
"""Snapshots of an index that are told one by one; the others are counted."""
_MOST_RUNS = 50
"""Newest runs of a policy among which its last success and failure are looked for."""
_MIDDLE = "-policy-"
_GOOD = frozenset({"done", "lossy", "unsettled"})


class RunExplained(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a policy that has ended, and why it failed, if it did."""

    run: str
    state: str
    finished: AwareTime | None = None
    failure: str | None = None


class SnapshotExplained(msgspec.Struct, frozen=True, kw_only=True):
    """What retention would do with a snapshot, and why."""

    id: str
    state: str
    created: AwareTime
    keep: bool
    reasons: tuple[str, ...]


class IndexExplained(msgspec.Struct, frozen=True, kw_only=True):
    """What the policies of an index together would keep of it. `kept` and `goes` count all; the newest are told."""

    index: str
    policies: tuple[str, ...]
    kept: int
    goes: int
    snapshots: tuple[SnapshotExplained, ...] = ()


class PolicyExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One policy. The last success and failure are those among its newest runs; None if there is none."""

    policy: str
    service: str
    patterns: tuple[str, ...]
    schedule: str
    next_run: AwareTime
    recovery_point: timedelta
    time_limit: timedelta | None = None
    running: str | None = None
    last_success: RunExplained | None = None
    last_failure: RunExplained | None = None
    indexes: tuple[IndexExplained, ...] = ()


async def explain_policies(resources: Resources, policy: str | None = None) -> list[PolicyExplained]:
    """Return what there is to say of every policy, or of one.

    Raises NotFoundError for a policy that is not configured, RemoteError if a store can't be read.
    """
    settings = resources.clients.settings
    if policy is not None and policy not in settings.policies:
        raise NotFoundError(
            "no policy of this name is configured",
            on=f"policy {policy}",
            do=f"Known: {', '.join(sorted(settings.policies)) or 'none'}{suggestion(policy, settings.policies)}",
        )
    return [
        await _explain(resources, name, settings.policies[name])
        for name in sorted(settings.policies)
        if policy in {None, name}
    ]


async def _explain(resources: Resources, name: str, policy: PolicySettings) -> PolicyExplained:
    now = resources.clock()
    store = resources.clients.store_of(policy.service)
    try:
        records = await _runs_of(Runs(store.runs), name)
        there = await store_indexes(store, policy.service)
    except NotFoundError:  # no container yet
        records, there = [], []
    chosen = select([each for each in there if each != SERVICE_OBJECTS], policy.indexes).found
    if SERVICE_OBJECTS in there and "*" in policy.indexes:
        chosen.append(SERVICE_OBJECTS)
    return PolicyExplained(
        policy=name,
        service=policy.service,
        patterns=policy.indexes,
        schedule=policy.schedule,
        next_run=Schedule(policy.schedule, on=f"policy {name}").next(now),
        recovery_point=recovery_point_of(policy),
        time_limit=policy.time_limit,
        running=next((record.run for record in records if not record.is_finished), None),
        last_success=next((_run(record) for record in records if record.state in _GOOD), None),
        last_failure=next((_run(record) for record in records if record.state == "failed"), None),
        indexes=tuple([await _index(resources, policy.service, index) for index in chosen]),
    )


async def _runs_of(runs: Runs, policy: str) -> list[RunRecord]:
    names = [name for name in await runs.names() if name.partition(_MIDDLE)[2] == policy]
    return await runs.read_all(names[:_MOST_RUNS])


def _run(record: RunRecord) -> RunExplained:
    failure = None
    if record.state == "failed":
        first = next((item.outcome.failure for item in record.items if item.outcome.failure is not None), None)
        cause = record.failure or first
        failure = str(from_record(cause)) if cause is not None else "it did not say why"
    return RunExplained(run=record.run, state=record.state, finished=record.finished, failure=failure)


async def _index(resources: Resources, service: str, index: str) -> IndexExplained:
    settings = resources.clients.settings
    here = {(service, index)}
    pins, holds = await list_pins(resources, here), await list_holds(resources, here)
    decisions = decide(
        await list_snapshots(resources.clients.store_of(service).snapshots, service, index),
        retentions(settings, service, index),
        {reference.id or "": pinned.words for reference, pinned in pins.items()},
        needed={reference.id or "": [hold.reason for hold in held] for reference, held in holds.items()},
        now=resources.clock(),
    )
    kept = sum(each.keep for each in decisions)
    return IndexExplained(
        index=index,
        policies=_covering(settings, service, index),
        kept=kept,
        goes=len(decisions) - kept,
        snapshots=_snapshots(decisions[:MOST_SNAPSHOTS]),
    )


def _covering(settings: Settings, service: str, index: str) -> tuple[str, ...]:
    return tuple(
        name
        for name, policy in settings.policies.items()
        if policy.service == service
        and (select([index], policy.indexes).found or (index == SERVICE_OBJECTS and "*" in policy.indexes))
    )


def _snapshots(decisions: Sequence[Decision]) -> tuple[SnapshotExplained, ...]:
    return tuple(
        SnapshotExplained(
            id=each.snapshot.id,
            state=each.snapshot.state,
            created=each.snapshot.created,
            keep=each.keep,
            reasons=each.reasons,
        )
        for each in decisions
    )
