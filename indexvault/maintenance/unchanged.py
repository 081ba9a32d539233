"""Find the records of indexes that were found unchanged since their newest snapshot."""

import logging
from collections.abc import Collection

from indexvault.errors import IndexvaultError
from indexvault.maintenance.pass_over import passed_over
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.unchanged import Unchanged, read_unchanged
from indexvault.workflow.activity import Resources

_LOG = logging.getLogger(__name__)


async def list_unchanged(
    resources: Resources, indexes: Collection[tuple[str, str]]
) -> dict[SnapshotReference, Unchanged]:
    """Return the records of some indexes, each named by service and index, by the snapshots they name.

    They are in the store of the index's service. One that can't be read is logged, and counts for nothing.
    """
    clients, now = resources.clients, resources.clock()
    found: dict[SnapshotReference, Unchanged] = {}
    for service in sorted({service for service, _index in indexes} & clients.settings.services.keys()):
        named = [index for each, index in indexes if each == service]
        with passed_over(f"reading which indexes of {service} were found unchanged"):
            try:
                records = await read_unchanged(
                    clients.store_of(service).runs, service, named[0] if len(named) == 1 else None, now=now
                )
            except IndexvaultError as error:
                _LOG.warning("whether indexes of %s were found unchanged is not known: %s", service, error)
                continue
            found |= {reference: record for reference, record in records.items() if reference.index in named}
    return found
