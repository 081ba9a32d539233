"""Tell of a failure and go on with the rest: one store's trouble is never another's."""

import contextlib
import logging
from collections.abc import Iterator

from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.snapshots.store import Store

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def passed_over(what: str) -> Iterator[None]:
    """Log whatever the block raises, as a failure of `what`, and go on after the block.

    An error that is not ours comes of a bug, or of something stored that nobody thought of. It is logged with its
    traceback. Use it around what concerns one store, run or policy among several, which must not stop the others.
    """
    try:
        yield
    except IndexvaultError as error:
        _LOG.error("%s: %s", what, error)
    except Exception:  # noqa: BLE001 - what it is, is not known; the others must go on
        _LOG.exception("%s failed unexpectedly", what)


async def is_unused(store: Store) -> bool:
    """Return whether nothing was ever kept in a store: its container of snapshots isn't there either."""
    try:
        async for _folder in store.snapshots.folders(""):
            return False
    except NotFoundError:
        return True
    except IndexvaultError:
        return False
    return False
