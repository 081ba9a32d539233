"""Find what definitions would lack on the other service: secrets that no overlay supplies, and limits they exceed."""

from collections.abc import Mapping

from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.readiness.facts import ObjectFacts
from indexvault.readiness.side import Held
from indexvault.restore.limits import Demand, limit_checks
from indexvault.restore.secrets import completed, missing_paths
from indexvault.search.definitions import NamedDefinition
from indexvault.search.schema import read_schema
from indexvault.settings.model import PairSettings

_OF_AN_INDEX = frozenset({"fields", "depth", "complex_collections", "dimensions"})
_NOTHING_MORE = Demand(indexes=0, aliases=0, synonym_maps=0, documents=0, bytes=0)


def needs_of(clients: Clients, pair: PairSettings, active: Held, other: Held | None) -> tuple[ObjectFacts, ...] | None:
    """Return the definitions that need a secret, with those that the pair's overlay lacks. None if they are unread.

    Kinds that are hot-hot are made by whoever writes to both services.
    """
    if active.definitions is None:
        return None
    found = []
    for kind, named in active.definitions.items():
        if pair.mode_of(kind) == "hot-hot":
            continue
        there = other.definitions.get(kind, {}) if other is not None and other.definitions is not None else None
        for name, definition in sorted(named.items()):
            if missing_paths(definition.body):
                lacks = _lacks(clients, pair.overlay, f"{kind}/{name}", definition)
                found.append(ObjectFacts(kind, name, lacks, None if there is None else name in there))
    return tuple(found)


def _lacks(clients: Clients, overlay: str | None, entry: str, definition: NamedDefinition) -> tuple[str, ...]:
    try:
        patch = None if overlay is None else clients.overlay(overlay, entry)
    except IndexvaultError as error:
        return (f"{error.on}: {error.what}",)
    whole = completed(definition.body, patch)
    return (*whole.misdirected, *missing_paths(whole.body))


def misfits_of(active: Held, other: Held | None) -> Mapping[str, tuple[str, ...]]:
    """Return by index which limits of the other service its definition exceeds. None is known of a service unread."""
    if active.definitions is None or other is None or other.facts.statistics is None:
        return {}
    statistics, tier = other.facts.statistics, other.facts.tier
    return {
        name: tuple(
            check.what
            for check in limit_checks(read_schema(definition.body, on=f"index {name}"), _NOTHING_MORE, tier, statistics)
            if check.outcome == "failed" and check.name in _OF_AN_INDEX
        )
        for name, definition in active.definitions["indexes"].items()
    }
