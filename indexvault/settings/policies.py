"""Combine the policies of one index, and find the stores that hold its snapshots."""

from datetime import timedelta

from indexvault.settings.load import service_settings
from indexvault.settings.model import PolicySettings, Settings
from indexvault.settings.patterns import select
from indexvault.settings.schedule import longest_interval
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.retention import Retention


def policies_covering(settings: Settings, service: str, index: str) -> dict[str, PolicySettings]:
    """Return the policies that cover an index, by name."""
    return {
        name: policy
        for name, policy in settings.policies.items()
        if policy.service == service and select([index], policy.indexes).found
    }


def retentions(settings: Settings, service: str, index: str) -> list[Retention]:
    """Return what each policy of an index keeps, for `retention.decide`. Without `keep` it keeps everything."""
    return [policy.keep or Retention() for policy in policies_covering(settings, service, index).values()]


def drill_within(settings: Settings, service: str, index: str) -> timedelta | None:
    """Return how old the last good drill of an index may be: twice the longest time between two. None if none is due.

    The other objects of a service are not drilled.
    """
    covering = [
        drill
        for drill in settings.drills.values()
        if drill.service == service and index != SERVICE_OBJECTS and select([index], drill.indexes).found
    ]
    return min((2 * longest_interval(drill.schedule) for drill in covering), default=None)


def replica_stores(settings: Settings, service: str, index: str | None = None) -> list[str]:
    """Return the stores that the snapshots of a service, or of one of its indexes, are copied to."""
    return list(
        dict.fromkeys(
            store
            for policy in settings.policies.values()
            if policy.service == service and (index is None or select([index], policy.indexes).found)
            for store in policy.replicate_to
        )
    )


def reading_order(settings: Settings, service: str, *, near: str | None = None) -> list[str]:
    """Return the stores that hold a service's snapshots, in the order to read from them.

    Stores in the region `near` come first, then the service's own store, then the others.
    """
    stores = [service_settings(settings, service).store, *replica_stores(settings, service)]
    return sorted(stores, key=lambda store: near is None or settings.stores[store].region != near)


def recovery_point_of(policy: PolicySettings) -> timedelta:
    """Return how old the last complete snapshot of an index of a policy may be.

    Where the policy does not say, it is twice the longest time between two scheduled times: one run may fail.
    """
    return policy.recovery_point or 2 * longest_interval(policy.schedule)
