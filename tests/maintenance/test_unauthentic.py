"""What keeping snapshots makes of those that nobody with the record key has made."""

from datetime import timedelta

import pytest

from indexvault.maintenance.scrub import IndexToVerify, verify_due
from indexvault.maintenance.stock import take_stock
from indexvault.snapshots.known import known_snapshots
from tests.keyed import KEY
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, open_world


async def test_the_weekly_verification_names_them_and_records_none(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore("local")
    async with open_world(store, record_key=KEY) as world:
        _, genuine = await write_snapshot(world.clients.store("local").snapshots, documents(range(9)))
        forged, _ = await write_snapshot(
            store.snapshots, documents(range(9)), created=MORNING + timedelta(hours=1), run="forged"
        )
        stock = await take_stock(world.clients, "local", EAST, "hotels")
        assert stock.unrecorded == (genuine,)
        found = await verify_due(world.resources, IndexToVerify("local", EAST, "hotels"))
        assert found.damage == []
        assert f"no record key has signed {forged.id} of {EAST}/hotels" in caplog.text
        assert await known_snapshots(world.clients.store("local").runs) == {genuine.reference}
