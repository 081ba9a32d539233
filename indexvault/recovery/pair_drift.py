"""Keep what was measured of a pair's drift, or why it could not be measured."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec.structs import replace

from indexvault.errors import ConflictError, IndexvaultError, NotFoundError, RemoteError
from indexvault.model import IndexName
from indexvault.recovery.drift import Drift, ServiceDrift
from indexvault.recovery.drift_records import DriftState, read_drift, with_since, write_drift
from indexvault.recovery.job import DriftJob, DriftReport, ObjectsJob, parse_state
from indexvault.settings.model import PairSettings
from indexvault.settings.pairs import pair_settings
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.workflow.activity import Resources
from indexvault.workflow.telemetry import note_drift

_MOST_NAMED = 20
"""Differences of definitions that a record names."""

type Keep = Callable[[DriftReport], Awaitable[None]]


@asynccontextmanager
async def drift_kept(resources: Resources, job: DriftJob) -> AsyncIterator[Keep]:
    """Yield what keeps the report of a pair's index. Whatever the block raises is kept as the failure, and raised.

    That one of the two services lacks the index is a drift too, though the comparison fails.
    """
    sides = [parse_state(text) for text in (job.one, job.other)]
    begun = DriftState(
        pair=job.pair or "",
        index=sides[0].index,
        one=sides[0].service,
        other=sides[1].service,
        run=job.run,
        tried_at=resources.clock(),
    )

    async def keep(report: DriftReport) -> None:
        await _note(resources, job.home, as_state(begun, report.left or report.drift))

    try:
        yield keep
    except NotFoundError as error:
        absent = [each for each in sides if isinstance(each, IndexName) and not await _is_there(resources, each)]
        if len(absent) == 1:
            await _note(resources, job.home, replace(begun, absent=absent[0].service))
        else:
            await _note_failure(resources, job.home, begun, error)
        raise
    except IndexvaultError as error:
        await _note_failure(resources, job.home, begun, error)
        raise


def as_state(begun: DriftState, drift: Drift) -> DriftState:
    """Return what a comparison has measured of an index."""
    paths = [each.path for each in drift.definition]
    return replace(
        begun,
        changed=drift.different,
        missing=drift.missing,
        # Where keys have no order, what only one side has is known by its count alone.
        extra=drift.extra + drift.uncounted,
        moving=drift.moving,
        documents=drift.identical + drift.equal,
        definition=_named(paths),
        requests=drift.requests,
    )


async def keep_objects(resources: Resources, job: ObjectsJob, drift: ServiceDrift) -> None:
    """Keep what differs between the other objects of a pair's services."""
    only = [f"{each.kind}/{each.name} only on {each.only_in}" for each in drift.absent]
    state = DriftState(
        pair=job.pair,
        index=SERVICE_OBJECTS,
        one=job.one,
        other=job.other,
        run=job.run,
        tried_at=resources.clock(),
        definition=_named([*only, *(each.path for each in drift.objects)]),
    )
    await _note(resources, job.home, state)


def _named(paths: list[str]) -> list[str]:
    rest = len(paths) - _MOST_NAMED
    return paths if rest <= 0 else [*paths[:_MOST_NAMED], f"and {rest} more"]


def sides_of(name: str, pair: PairSettings) -> tuple[str, str]:
    """Return the service that repairs take documents from, and the other one. Raises ConflictError without a standby.

    What is missing is missing in the other one.
    """
    if pair.standby is None:
        raise ConflictError("the pair has no standby", on=f"pair {name}", do="Name one in the settings")
    authority = pair.authority or pair.primary
    return authority, pair.primary if authority == pair.standby else pair.standby


def _as_kept(resources: Resources, state: DriftState) -> DriftState:
    """Return a drift as the pair's authority sees it, whichever side was named first."""
    one, other = sides_of(state.pair, pair_settings(resources.clients.settings, state.pair))
    if state.one == one:
        return state
    return replace(state, one=one, other=other, missing=state.extra, extra=state.missing)


async def _note(resources: Resources, home: str | None, measured: DriftState) -> None:
    measured = _as_kept(resources, measured)
    runs = resources.clients.store_of(home or measured.other).runs
    now = resources.clock()
    before = await read_drift(runs, measured.pair, measured.index)
    state = with_since(replace(measured, measured=now), before, now)
    await write_drift(runs, state)
    note_drift(state.other, state.index, changed=state.changed, missing=state.missing, extra=state.extra)


async def _note_failure(resources: Resources, home: str | None, begun: DriftState, error: IndexvaultError) -> None:
    begun = _as_kept(resources, begun)
    runs = resources.clients.store_of(home or begun.other).runs
    before = await read_drift(runs, begun.pair, begun.index)
    known = begun if before is None else replace(before, run=begun.run, tried_at=begun.tried_at)
    await write_drift(runs, replace(known, failure=error.record()))


async def _is_there(resources: Resources, index: IndexName) -> bool:
    try:
        return index.index in await resources.clients.service(index.service).index_names()
    except RemoteError:
        return True
