"""Notice work that is resumed again and again and gets no further.

A run, or an activity of it, that ends the process it runs in is resumed by the next tick or by the platform, and ends
that process too. Progress is what is durable: a checkpoint of the run that was added or changed. After
`MOST_RESUMPTIONS` in a row without any, the work fails.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from indexvault.errors import IndexvaultError
from indexvault.snapshots.run_names import run_prefix
from indexvault.snapshots.store import RunBlobs

MOST_RESUMPTIONS = 3
PROGRESS_PART = "progress-"
"""How the parts begin that tell of work at hand. They change whether or not anything is achieved."""


class Resumptions(msgspec.Struct, frozen=True):
    """How often work was resumed in a row without progress, and what was durable then."""

    count: int = 0
    durable: str = ""

    def again(self, durable: str) -> "Resumptions":
        """Return the count with one more resumption, which begins anew if there was progress."""
        return Resumptions(self.count + 1 if durable == self.durable else 1, durable)

    @property
    def too_many(self) -> bool:
        """Whether the work is not to be resumed any more."""
        return self.count > MOST_RESUMPTIONS


async def durable_state(runs: RunBlobs, names: Iterable[str]) -> str:
    """Return a hash of the checkpoints of these runs."""
    digest = hashlib.sha256()
    for name in sorted(set(names)):
        prefix = run_prefix(name)
        async for blob in runs.list(prefix):
            if not blob.name.startswith(f"{prefix}{PROGRESS_PART}"):
                content = blob.content_md5.hex() if blob.content_md5 is not None else blob.modified.isoformat()
                digest.update(f"{blob.name} {blob.size} {content}\n".encode())
    return digest.hexdigest()


def stalled_error(on: str) -> IndexvaultError:
    """Return the error of work that is given up."""
    return IndexvaultError(
        f"it was resumed {MOST_RESUMPTIONS} times without progress, and is given up",
        on=on,
        do="See in the app's log why it stopped each time; give it more memory or less to do, then run it again",
    )
