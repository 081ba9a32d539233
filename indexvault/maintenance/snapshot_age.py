"""Record the age of the newest complete snapshot of each index that a policy backs up, as a metric."""

from collections.abc import Iterable

from indexvault.settings.model import PolicySettings
from indexvault.settings.patterns import select
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.summary import is_in_future
from indexvault.workflow.activity import Resources
from indexvault.workflow.telemetry import note_snapshot


async def note_ages(resources: Resources, store: str, policies: Iterable[PolicySettings]) -> None:
    """Record the newest complete snapshots in a store, so that a process that made none knows their age too."""
    chosen: dict[str, list[PolicySettings]] = {}
    for policy in policies:
        chosen.setdefault(policy.service, []).append(policy)
    blobs = resources.clients.store(store).snapshots
    for service, its_policies in chosen.items():
        now = resources.clock()
        complete = [
            each
            for each in await list_snapshots(blobs, service)
            if each.state == "complete" and each.is_trusted and not is_in_future(each.created, now)
        ]
        names = list({each.index for each in complete})
        indexes = {index for policy in its_policies for index in select(names, policy.indexes).found}
        for summary in complete:
            if summary.index in indexes:
                note_snapshot(service, summary.index, summary.created, resources.clock)
