"""A store opened by several identities: each does what it is for, and nothing else."""

import random
from typing import Any, cast

import pytest

from indexvault.clients import Clients
from indexvault.errors import ForbiddenError, SettingsError
from indexvault.settings.load import read_settings
from indexvault.snapshots.divided_store import DividedStore
from indexvault.snapshots.prune import Removal, prune_index
from indexvault.snapshots.store import SnapshotWriter, Store
from indexvault.snapshots.verify import verify_index
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot

READ, WRITE, PRUNE = (f"{number}0000000-0000-4000-8000-000000000000" for number in (1, 2, 3))
OPERATIONS = {"create", "read", "read_range", "properties", "list", "folders", "delete", "copy", "grant"}


class Limited:
    """The snapshots of a store, for an identity that may do some things only."""

    def __init__(self, snapshots: SnapshotWriter, allowed: set[str]) -> None:
        self._snapshots = snapshots
        self._allowed = allowed

    def __getattr__(self, name: str) -> Any:
        if name in OPERATIONS - self._allowed:
            raise ForbiddenError(f"this identity may not {name}", on="the store", do="Use another")
        return getattr(self._snapshots, name)


def limited(store: MemoryStore, *allowed: str) -> Store:
    opened = MemoryStore(store.name)
    opened.snapshots = cast("Any", Limited(store.snapshots, set(allowed)))
    opened.runs = store.runs
    return opened


def divided(store: MemoryStore) -> DividedStore:
    return DividedStore(
        reader=limited(store, "read", "read_range", "list", "properties", "folders"),
        writer=limited(store, "create", "copy", "grant"),
        pruner=limited(store, "delete"),
        account="contoso",
    )


async def test_snapshots_are_made_verified_and_pruned_by_one_identity_each() -> None:
    store = divided(MemoryStore())
    manifest, _ = await write_snapshot(store.snapshots, documents(range(100)))
    await write_snapshot(store.snapshots, documents(range(100)), created=MORNING.replace(day=25), run="run-2")
    assert not (await verify_index(store.snapshots, "contoso-east", "hotels")).damage
    report = await prune_index(
        store, "contoso-east", "hotels", [Removal(manifest.id, "old")], clock=lambda: MORNING.replace(day=28)
    )
    assert report.removed == (manifest.id,)


async def test_the_writer_can_not_delete_a_snapshot() -> None:
    store = MemoryStore()
    writer = limited(store, "create", "copy", "grant", "read", "list", "properties", "folders")
    everything_by_it = DividedStore(reader=writer, writer=writer, pruner=writer, account="contoso")
    manifest, _ = await write_snapshot(everything_by_it.snapshots, documents(range(100)))
    with pytest.raises(ForbiddenError):
        await everything_by_it.snapshots.delete(f"contoso-east/hotels/manifests/{manifest.id}.json")


STORE = '{"stores": {"east": {"region": "eastus", %s, "identities": %s}}, "services": {}}'
URL = '"account_url": "https://contosoeast.blob.core.windows.net"'


async def test_the_settings_name_an_identity_for_each_purpose() -> None:
    asked: list[str | None] = []

    class Credential:
        async def get_token(self, *_scopes: str) -> None:
            """Be asked for nothing: no request is sent."""

        async def close(self) -> None:
            """Hold nothing."""

    def identity(_host: str, client_id: str | None) -> Any:
        asked.append(client_id)
        return Credential()

    identities = f'{{"read": "{READ}", "write": "{WRITE}", "prune": "{PRUNE}"}}'
    async with Clients(
        read_settings(STORE % (URL, identities)), environment={}, rng=random.Random(1), identity=identity
    ) as clients:
        assert clients.store("east").name == "east"
    assert asked == [READ, WRITE, PRUNE]


async def test_a_purpose_without_an_identity_has_this_machines() -> None:
    settings = read_settings(STORE % (URL, f'{{"prune": "{PRUNE}"}}'))
    assert settings.stores["east"].identities.read is None


@pytest.mark.parametrize(
    ("account", "identities"),
    [
        (URL, '{"prune": "a-secret"}'),
        (URL, '{"purge": null}'),
        ('"connection_string": "UseDevelopmentStorage=true"', f'{{"prune": "{PRUNE}"}}'),
    ],
)
def test_what_is_no_identity_is_refused(account: str, identities: str) -> None:
    with pytest.raises(SettingsError, match="identities") as raised:
        read_settings(STORE % (account, identities))
    assert "a-secret" not in str(raised.value)
