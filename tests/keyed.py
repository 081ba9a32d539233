"""Stores with record keys, for tests, and an attacker who has the store but no key."""

from datetime import UTC, datetime

from indexvault.model import Clock
from indexvault.snapshots.record_keys import RecordKeys, read_record_keys
from indexvault.snapshots.signed_store import SignedStore
from indexvault.snapshots.store import Store

KEY, OTHER_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2, "8badf00d12345679" * 4
KEYS = read_record_keys(KEY, "a test")
ROTATED = read_record_keys(f"{OTHER_KEY},{KEY}", "a test")
ONLY_OTHER = read_record_keys(OTHER_KEY, "a test")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def keyed(store: Store, keys: RecordKeys = KEYS, *, account: str = "memory", clock: Clock = _utc_now) -> SignedStore:
    """Return a store as a process with the keys sees it. The attacker writes to `store` itself."""
    return SignedStore(store, keys, account=account, clock=clock)
