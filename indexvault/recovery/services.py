"""Compare all of two services: their indexes, and the definitions of everything else."""

from collections.abc import Awaitable, Callable, Sequence

from indexvault.backup.service_objects import KINDS
from indexvault.errors import ConflictError, NotFoundError, RefusedError, UnreadableIndexError
from indexvault.recovery.compare import compare
from indexvault.recovery.drift import Absent, Drift, ServiceDrift
from indexvault.recovery.sides import LiveSide
from indexvault.search.client import SearchService
from indexvault.settings.patterns import select
from indexvault.snapshots.field_diff import DefinitionDifference, definition_differences
from indexvault.snapshots.manifest import Definition, VersionedDefinition

type Wait = Callable[[], Awaitable[bool]]


async def compare_services(
    one: SearchService,
    other: SearchService,
    *,
    wait: Callable[[], Wait],
    by_counts: bool = False,
    compared: Callable[[Drift], None] = lambda _drift: None,
    indexes: Sequence[str] = ("*",),
    kinds: Sequence[str] = KINDS,
) -> ServiceDrift:
    """Compare two services, index by index. `compared` is told of each index.

    `indexes` are names and patterns of those to compare, `kinds` the other objects. An index that can't be compared, or
    is deleted meanwhile, is named with the reason and does not end the rest.
    """
    here, there = [set(select(await each.index_names(), indexes).found) for each in (one, other)]
    absent = [Absent("indexes", name, one.name if name in here else other.name) for name in sorted(here ^ there)]
    drifts: list[Drift] = []
    unreadable: list[tuple[str, str]] = []
    for name in sorted(here & there):
        try:
            sides = [await LiveSide.open(service, name) for service in (one, other)]
            drift = await compare(*sides, wait=wait, by_counts=by_counts)
        except (ConflictError, NotFoundError, UnreadableIndexError) as error:
            unreadable.append((name, error.what))
            continue
        drifts.append(drift)
        compared(drift)
    lacking, objects = await compare_objects(one, other, kinds)
    return ServiceDrift(
        one=one.name,
        other=other.name,
        indexes=drifts,
        absent=[*absent, *lacking],
        objects=objects,
        unreadable=unreadable,
    )


async def compare_objects(
    one: SearchService, other: SearchService, kinds: Sequence[str] = KINDS
) -> tuple[list[Absent], list[DefinitionDifference]]:
    """Return the objects of some kinds that one of two services lacks, and what differs in those that both have."""
    absent: list[Absent] = []
    objects: list[DefinitionDifference] = []
    for kind in kinds:
        found = await _compare_kind(one, other, kind)
        absent += found[0]
        objects += found[1]
    return absent, objects


async def _compare_kind(
    one: SearchService, other: SearchService, kind: str
) -> tuple[list[Absent], list[DefinitionDifference]]:
    """Return the objects of a kind that one of the two lacks, and what differs in those that both have."""
    here, there = await _definitions(one, kind), await _definitions(other, kind)
    absent = [
        Absent(kind, name, one.name if name in here else other.name) for name in sorted(here.keys() ^ there.keys())
    ]
    differences = [
        DefinitionDifference(f"{kind}/{name}/{each.path}", each.before, each.after)
        for name in sorted(here.keys() & there.keys())
        for each in definition_differences(here[name], there[name])
    ]
    return absent, differences


async def _definitions(service: SearchService, kind: str) -> dict[str, Definition]:
    """Return the definitions of a kind by name, in the preview api-version if the service has one."""
    for preview in (True, False):
        try:
            found = await service.definitions(kind, preview=preview)
        except (RefusedError, NotFoundError):
            continue
        return {
            each.name: Definition(stable=VersionedDefinition(api_version=each.api_version, body=each.body))
            for each in found
        }
    return {}
