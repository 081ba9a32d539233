"""The regions that policies keep documents in, whatever else allows more.

What a policy says holds for the snapshots of every index that it covers, also where another policy, a pair, a drill or
a person would take them elsewhere.
"""

from collections.abc import Iterable, Sequence

import msgspec

from indexvault.errors import ConflictError, SettingsError
from indexvault.settings.coverage import coverage
from indexvault.settings.model import PolicySettings, Settings
from indexvault.settings.patterns import select
from indexvault.snapshots.names import SERVICE_OBJECTS

DO = "Name a place in one of these regions, or change `regions` of the policy"


class Residency(msgspec.Struct, frozen=True):
    """A policy that keeps documents in regions."""

    policy: str
    regions: tuple[str, ...]

    def has(self, region: str) -> bool:
        """Return whether documents may be in a region."""
        return plain_region(region) in {plain_region(each) for each in self.regions}

    def refusal(self, region: str) -> str:
        """Return in words why documents may not be in a region."""
        return f"policy {self.policy} keeps its documents in {', '.join(self.regions)}, and not in {region}"


def plain_region(region: str) -> str:
    """Return a region's name in one form: `East US 2` is `eastus2`."""
    return "".join(region.split()).lower()


def residencies(settings: Settings, service: str, index: str) -> list[Residency]:
    """Return what policies say of an index. The service's other objects are with those that have a plain `*`."""
    return [
        Residency(name, policy.regions)
        for name, policy in settings.policies.items()
        if policy.service == service and policy.regions is not None and _covers(policy, index)
    ]


def residencies_of(settings: Settings, service: str, patterns: Sequence[str]) -> list[Residency]:
    """Return what policies say of any index of a service that patterns may bring in, whether there is one or not."""
    return [
        Residency(name, policy.regions)
        for name, policy in settings.policies.items()
        if policy.service == service and policy.regions is not None and _overlap(policy.indexes, patterns)
    ]


def keeping_out(found: Iterable[Residency], regions: Iterable[str | None]) -> tuple[Residency, str] | None:
    """Return the first that keeps documents out of one of the regions, with that region. None is no region."""
    return next(
        ((each, region) for each in found for region in regions if region is not None and not each.has(region)), None
    )


def require_resident(found: Iterable[Residency], regions: Iterable[str | None], *, on: str) -> None:
    """Raise ConflictError if documents would get into a region that a policy keeps them out of."""
    out = keeping_out(found, regions)
    if out is not None:
        raise ConflictError(out[0].refusal(out[1]), on=on, do=DO)


def check_residency(settings: Settings) -> None:
    """Raise SettingsError for policies, pairs and drills that would take documents out of a policy's regions."""
    for name, policy in settings.policies.items():
        _check_policy(settings, name, policy)
    for name, pair in settings.pairs.items():
        path = f"settings $.pairs.{name}"
        for service, other, member in (
            (pair.primary, pair.standby, "standby"),
            (pair.standby, pair.primary, "primary"),
        ):
            if service is None:
                continue
            found = _of_any(settings, service, pair.indexes)
            if other is not None:
                _require(found, _regions_of(settings, other), on=f"{path}.{member}")
            if pair.store is not None:
                _require(found, [settings.stores[pair.store].region], on=f"{path}.store")
    for name, drill in settings.drills.items():
        found = residencies_of(settings, drill.service, drill.indexes)
        _require(found, _regions_of(settings, drill.target), on=f"settings $.drills.{name}.target")


def _check_policy(settings: Settings, name: str, policy: PolicySettings) -> None:
    path, regions = f"settings $.policies.{name}", policy.regions
    if regions is not None:
        if not regions or not all(each.strip() and each.isprintable() for each in regions):
            raise SettingsError(
                "expected the name of a region or more", on=f"{path}.regions", do="Correct the settings"
            )
        _require([Residency(name, regions)], _regions_of(settings, policy.service), on=f"{path}.regions")
    found = _of_any(settings, policy.service, policy.indexes)
    for position, store in enumerate(policy.replicate_to):
        _require(found, [settings.stores[store].region], on=f"{path}.replicate_to[{position}]")


def _of_any(settings: Settings, service: str, patterns: Sequence[str]) -> list[Residency]:
    """Return what policies say of indexes, and of the service's other objects, which go with them."""
    return [*residencies_of(settings, service, patterns), *residencies(settings, service, SERVICE_OBJECTS)]


def _require(found: Iterable[Residency], regions: Iterable[str], *, on: str) -> None:
    out = keeping_out(found, regions)
    if out is not None:
        raise SettingsError(out[0].refusal(out[1]), on=on, do=DO)


def _regions_of(settings: Settings, service: str) -> tuple[str, str]:
    """Return the regions of a service and of the store that its snapshots go to."""
    found = settings.services[service]
    return found.region, settings.stores[found.store].region


def _covers(policy: PolicySettings, index: str) -> bool:
    if index == SERVICE_OBJECTS:
        return "*" in policy.indexes
    return bool(select([index], policy.indexes).found)


def _overlap(patterns: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether one index may be brought in by both. True also where only a name that no index has would be."""
    return any(
        coverage((entry, *others[position + 1 :]), entry) != "none" and coverage(patterns, entry) != "none"
        for position, entry in enumerate(others)
        if not entry.startswith("!")
    )
