"""Record how old the newest snapshot of each index is that a policy backs up, and the newest proved one, as metrics."""

from collections.abc import Iterable

from indexvault.maintenance.unchanged import list_unchanged
from indexvault.settings.model import PolicySettings
from indexvault.settings.patterns import select
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.summary import is_in_future
from indexvault.snapshots.unchanged import as_of
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
        whole = [
            each
            for each in await list_snapshots(blobs, service)
            if each.state in {"complete", "presumed"} and each.is_trusted and not is_in_future(each.created, now)
        ]
        names = list({each.index for each in whole})
        indexes = {index for policy in its_policies for index in select(names, policy.indexes).found}
        unchanged = await list_unchanged(resources, {(service, index) for index in indexes})
        for summary in whole:
            if summary.index in indexes:
                is_proved = summary.state == "complete"
                note_snapshot(service, summary.index, summary.created, resources.clock, proved=is_proved)
                until = as_of(summary.created, summary.reference, unchanged)
                note_snapshot(service, summary.index, until, resources.clock, proved=False)
