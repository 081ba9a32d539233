"""The names that the settings hold, for a shell to complete."""

from collections.abc import Sequence

from indexvault.maintenance.targets import is_pattern
from indexvault.settings.model import Settings

NAMED = ("services", "places", "snapshots", "stores", "overlays")


def names(settings: Settings, kind: str) -> Sequence[str]:
    """Return the names of a kind of NAMED.

    Of the indexes, the settings know those that a policy names in full; the others only the service knows, which a
    shell must not wait for.
    """
    match kind:
        case "stores":
            return sorted(settings.stores)
        case "overlays":
            return sorted(settings.overlays)
        case "services":
            return sorted(settings.services)
        case "snapshots":
            known = _indexes(settings)
            others = settings.services.keys() - {place.partition("/")[0] for place in known}
            return sorted([*(f"{place}@latest" for place in known), *(f"{service}/" for service in others)])
        case _:
            return sorted({*settings.services, *_indexes(settings)})


def _indexes(settings: Settings) -> list[str]:
    return sorted(
        {
            f"{policy.service}/{index}"
            for policy in settings.policies.values()
            for index in policy.indexes
            if not index.startswith("!") and not is_pattern(index)
        }
    )
