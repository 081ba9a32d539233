"""Restores of a snapshot that is presumed: done without ado, and said."""

from tests import hotels
from tests.memory_store import MemoryStore
from tests.restore.stored import presume
from tests.world import open_world


async def test_a_presumed_snapshot_is_restored_and_the_report_says_what_it_rests_on() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(20))
        made = await world.back_up("hotels")
        presumed = await presume(world, made)
        checks = {each.name: each for each in (await world.preflight(presumed)).checks}
        assert checks["presumed"].outcome == "ok"
        assert f"builds on the full reading {made.snapshot}" in checks["presumed"].what
        report = await world.restore(presumed)
        assert (report.identical, report.losses) == (20, [])
        assert report.presumption is not None
        assert (report.presumption.proved, report.presumption.field) == (made.snapshot, "changed")
        of_full = await world.restore(made, index="of-full")
        assert of_full.presumption is None
        assert "presumed" not in {each.name for each in (await world.preflight(made, index="other")).checks}
