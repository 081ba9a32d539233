"""Ask every store for a listing: one that fails is named beside what the others hold."""

import logging
from collections.abc import Awaitable, Callable

import msgspec

from indexvault.errors import ErrorRecord, IndexvaultError
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import Resources

_LOG = logging.getLogger(__name__)


class UnreadStore(msgspec.Struct, frozen=True):
    """A store that could not be listed, so that what it holds is not known, and why."""

    store: str
    error: ErrorRecord


async def ask_stores[Found](
    resources: Resources, ask: Callable[[Store], Awaitable[Found]]
) -> tuple[list[Found], list[UnreadStore]]:
    """Return what each store answers, in the order of the settings, and the stores that failed.

    Raises the first failure if all failed.
    """
    found: list[Found] = []
    unread: list[UnreadStore] = []
    failures: list[Exception] = []
    for name in resources.clients.settings.stores:
        try:
            found.append(await ask(resources.clients.store(name)))
        except IndexvaultError as error:
            _LOG.warning("store %s is left out of a listing: %s", name, error)
            unread.append(UnreadStore(name, error.record()))
            failures.append(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hide what the others hold
            _LOG.exception("store %s is left out of a listing", name)
            unknown = IndexvaultError("it failed unexpectedly", on=f"store {name}", do="Check the app's log")
            unread.append(UnreadStore(name, unknown.record()))
            failures.append(error)
    if failures and not found:
        raise failures[0]
    return found, unread
