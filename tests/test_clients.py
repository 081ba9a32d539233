"""Clients of stores, with and without the key that signs records."""

import random

import pytest

from indexvault.clients import Clients
from indexvault.errors import SettingsError
from indexvault.settings.model import EnvironmentSecret, Settings, StoreSettings
from indexvault.snapshots.signed_store import UnsignedStore
from tests.keyed import KEY, OTHER_KEY
from tests.memory_store import MemoryStore


def clients(
    key: str | None, given: MemoryStore | None = None, *, account: str = "UseDevelopmentStorage=true"
) -> Clients:
    settings = Settings(
        stores={"local": StoreSettings(region="local", connection_string=account)},
        services={},
        record_key=None if key is None else EnvironmentSecret(env="RECORDS"),
    )
    stores = {} if given is None else {"local": given}
    return Clients(settings, environment={"RECORDS": key or ""}, rng=random.Random(1), stores=stores)


async def test_with_a_key_every_store_signs_and_checks(storage_account: str) -> None:
    async with clients(KEY, account=storage_account) as ours, clients(OTHER_KEY, account=storage_account) as others:
        await ours.store("local").prepare()
        await ours.store("local").runs.put("a", b"{}")
        assert await ours.store("local").runs.read("a", 10) is not None
        assert await others.store("local").runs.read("a", 10) is None
        assert ours.store("local") is ours.store("local")
        assert ours.signed_records("local") is ours.store("local").runs


async def test_the_same_store_under_another_name_has_the_same_records(storage_account: str) -> None:
    """An operator's settings may call it otherwise than the app's."""
    settings = Settings(
        stores={"other": StoreSettings(region="local", connection_string=storage_account)},
        services={},
        record_key=EnvironmentSecret(env="RECORDS"),
    )
    async with (
        clients(KEY, account=storage_account) as app,
        Clients(settings, environment={"RECORDS": KEY}, rng=random.Random(1)) as operator,
    ):
        await app.store("local").prepare()
        await app.store("local").runs.put("a", b"{}")
        assert await operator.store("other").runs.read("a", 10) is not None


async def test_without_a_key_all_is_as_it_was() -> None:
    given = MemoryStore()
    async with clients(None, given) as plain:
        assert plain.store("local") is given
        assert plain.signed_records("local") is None
    async with clients(None) as plain:
        assert isinstance(plain.store("local"), UnsignedStore)


@pytest.mark.parametrize("key", ["", "short", "@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/x)"])
async def test_a_key_that_can_not_be_used_opens_no_store(key: str) -> None:
    async with clients(key, MemoryStore()) as broken:
        with pytest.raises(SettingsError) as raised:
            broken.store("local")
    assert "record_key" in raised.value.on
