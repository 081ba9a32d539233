"""Sync by changes: as many writes as changes, and a record that never says more than is so."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexvault.backup.job import BackupReport
from indexvault.errors import ForbiddenError, IndexvaultError, RefusedError, SettingsError
from indexvault.model import IndexName
from indexvault.restore.followed import Followed, read_followed, write_followed
from indexvault.restore.report import RestoreReport
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.run_names import followed_name
from tests import hotels
from tests.memory_store import MemoryRunBlobs, MemoryStore
from tests.restore.stored import presume
from tests.world import EAST, WEST, Calendar, World, open_world

INDEX = IndexName(WEST, "hotels")
DAY = timedelta(days=1)


@dataclass
class Stage:
    """A world with a source, a target that a full sync has proved equal, and a calendar."""

    world: World
    calendar: Calendar
    held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The documents of the source as each snapshot has them, by its id."""

    async def change(self, service: str, *, upload: Any = (), delete: Any = ()) -> None:
        actions = [upload_action(msgspec.json.encode(each)) for each in upload]
        actions += [delete_action("id", key) for key in delete]
        answer = await self.world.clients.service(service).index_documents("hotels", batch(actions))
        assert all(result.status for result in answer.results.values())

    async def back_up(self) -> BackupReport:
        self.calendar.now += timedelta(minutes=5)
        made = await self.world.back_up("hotels")
        self.held[made.snapshot] = await self.world.documents(EAST, "hotels", "id")
        return made

    async def follow(self, made: BackupReport, **changes: Any) -> RestoreReport:
        return await self.world.restore(made, index="hotels", **({"mode": "sync", "follow": True} | changes))

    async def record(self) -> Followed | None:
        found = await read_followed(self.world.store.runs, INDEX)
        return None if found is None else found.record

    async def require_equal(self) -> None:
        there, here = [await self.world.documents(service, "hotels", "id") for service in (WEST, EAST)]
        assert there == here

    async def reads(self) -> int:
        """Return how many requests have searched the target."""
        found = await self.world.requests(WEST)
        return sum(tally["requests"] for name, tally in found.items() if name.startswith("search"))


def docs(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    return [hotels.hotels(number + 1)[number] | changes for number in numbers]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    calendar = Calendar(datetime(2026, 11, 20, 2, 30, tzinfo=UTC))
    async with open_world(MemoryStore("local", calendar), clock=calendar, settle_seconds=4) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(120))
        await world.fill(hotels.DEFINITION, [], service=WEST)
        opened = Stage(world, calendar)
        report = await opened.follow(await opened.back_up())
        assert (report.uploaded, report.identical + report.equal, report.followed) == (120, 120, None)
        assert report.notes[-1] == "every document was compared: no sync has proved which snapshot it equals"
        yield opened


async def test_following_writes_as_many_documents_as_have_changed_and_reads_none(stage: Stage) -> None:
    first = await stage.record()
    assert first is not None
    await stage.change(EAST, upload=[*docs(3, 90, stars=9), *docs(500, 501)], delete=["h000007", "h000008"])
    made = await stage.back_up()
    reads = await stage.reads()
    report = await stage.follow(made)
    assert (report.followed, report.uploaded, report.deleted) == (first.equal.id, 4, 2)
    assert (report.documents, report.proved_at, report.proof) == (120, first.proved, "")
    assert await stage.reads() == reads
    await stage.require_equal()
    record = await stage.record()
    assert record is not None
    assert (record.equal.id, record.towards, record.times) == (made.snapshot, None, 1)
    assert record.proved == first.proved


async def test_the_same_snapshot_again_writes_nothing(stage: Stage) -> None:
    made = await stage.back_up()
    before = await stage.follow(made)
    again = await stage.follow(made)
    assert [(each.uploaded, each.deleted, each.requests) for each in (before, again)] == [(0, 0, 0)] * 2
    assert again.followed == made.snapshot


async def test_a_preflight_says_whether_it_would_follow_and_writes_nothing(stage: Stage) -> None:
    first = await stage.record()
    assert first is not None
    await stage.change(EAST, upload=docs(3, stars=9))
    made = await stage.back_up()
    asked = {"index": "hotels", "mode": "sync", "follow": True}

    async def told() -> str:
        report = await stage.world.preflight(made, **asked)
        return next(check.what for check in report.checks if check.name == "follow")

    assert await told() == f"only what differs from {first.equal.id} is written"
    assert await stage.record() == first
    await stage.world.store.runs.delete(followed_name(WEST, "hotels"))
    assert await told() == "every document is compared: no sync has proved which snapshot it equals"
    with pytest.raises(SettingsError, match="it can't be used with keys or filter"):
        await stage.world.preflight(made, **asked, keys=["h000001"])


async def test_an_older_snapshot_is_followed_back(stage: Stage) -> None:
    first = await stage.record()
    await stage.change(EAST, upload=docs(3, 4, stars=9))
    made = await stage.back_up()
    await stage.follow(made)
    assert first is not None
    back = await stage.follow(msgspec.structs.replace(made, snapshot=first.equal.id))
    assert (back.uploaded, back.followed) == (2, made.snapshot)


async def test_a_presumed_snapshot_is_followed_and_said(stage: Stage) -> None:
    presumed = await presume(stage.world, await stage.back_up())
    stage.calendar.now += timedelta(minutes=1)
    report = await stage.follow(presumed)
    assert report.followed is not None
    assert report.presumption is not None


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("late", "it was last proved 2026-11-20"),
        ("recreated", "its definition was changed, or the index made anew"),
        ("changed", "its definition was changed, or the index made anew"),
        ("counted", "it counts 121 documents, and 120 are in the snapshot that it equalled"),
        ("pruned", "that it equalled is gone, or another one now"),
        ("other", "no sync has proved which snapshot it equals"),
        ("asked", "it was last proved 2026-11-20"),
    ],
)
async def test_what_is_not_known_is_compared_in_full(stage: Stage, when: str, why: str) -> None:
    world, more = stage.world, {}
    await stage.change(EAST, upload=docs(3, stars=9))
    match when:
        case "late":
            stage.calendar.now += 7 * DAY
        case "recreated":
            await world.west.delete_index("hotels", before=await world.west.index_definition("hotels"))
            await world.fill(hotels.DEFINITION, hotels.hotels(120), service=WEST)
        case "changed":
            present = await world.west.index_definition("hotels")
            body = msgspec.json.encode(hotels.DEFINITION | {"defaultScoringProfile": None})
            await world.west.update_index("hotels", body, before=present, preview=False)
        case "counted":
            await stage.change(WEST, upload=[hotels.hotels(1)[0] | {"id": "stranger"}])
        case "pruned":
            (summary,) = await list_snapshots(world.store.snapshots, EAST, "hotels")
            await world.store.snapshots.delete(manifest_name(EAST, "hotels", summary.id))
        case "other":
            earlier = await stage.back_up()
            await world.restore(earlier, index="hotels", mode="sync")
            assert await stage.record() is None
        case "asked":
            more = {"prove_every": timedelta()}
    made = await stage.back_up()
    report = await stage.follow(made, **more)
    assert report.followed is None
    assert report.identical + report.equal == 120
    assert any(why in note for note in report.notes), report.notes
    await stage.require_equal()
    record = await stage.record()
    assert record is not None
    assert (record.equal.id, record.times, record.proved >= stage.calendar.now - timedelta(minutes=1)) == (
        made.snapshot,
        0,
        True,
    )


async def test_a_strangers_write_that_leaves_the_count_is_seen_by_the_next_proof_only(stage: Stage) -> None:
    await stage.change(WEST, upload=docs(17, stars=9))
    await stage.change(EAST, upload=docs(3, stars=9))
    report = await stage.follow(await stage.back_up())
    assert (report.uploaded, report.followed is not None) == (1, True)
    with pytest.raises(AssertionError):
        await stage.require_equal()
    stage.calendar.now += 8 * DAY
    report = await stage.follow(await stage.back_up())
    assert (report.uploaded, report.followed) == (1, None)
    await stage.require_equal()


async def test_a_count_that_comes_to_disagree_ends_in_a_full_comparison(stage: Stage) -> None:
    async def meddle(run: Any, resources: Any, given: Any) -> Any:
        outcome = await run(resources, given)
        await stage.change(WEST, upload=[hotels.hotels(1)[0] | {"id": "stranger"}])
        return outcome

    await stage.change(EAST, upload=docs(3, stars=9))
    made = await stage.back_up()
    stage.world.around["follow_snapshot"] = meddle
    report = await stage.follow(made)
    assert (report.followed, report.deleted) == (None, 1)
    assert any("after following, the target counts 121 documents, not 120" in note for note in report.notes)
    await stage.require_equal()


async def test_a_refused_document_ends_it_and_the_record_says_between(stage: Stage) -> None:
    await stage.change(EAST, upload=docs(3, 4, stars=9))
    made = await stage.back_up()
    await stage.world.faults(WEST, {"fault": "item", "probability": 1.0, "status": 400})
    with pytest.raises(RefusedError):
        await stage.follow(made)
    record = await stage.record()
    assert record is not None
    assert record.towards is not None
    await stage.world.faults(WEST)
    assert (await stage.follow(made)).uploaded == 2
    await stage.require_equal()


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "fill"}, {"mode": "create"}, {"keys": ("0001",)}, {"patch": "{}"}, {"skip_refused": True}],
    ids=str,
)
async def test_it_goes_with_a_sync_of_everything_only(stage: Stage, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="can't be used with"):
        await stage.follow(await stage.back_up(), **wrong)


async def test_a_record_of_another_target_or_that_can_not_be_read_counts_for_nothing(stage: Stage) -> None:
    runs = stage.world.store.runs
    record = await stage.record()
    assert record is not None
    for forged in (
        msgspec.structs.replace(record, target=IndexName(WEST, "rooms")),
        msgspec.structs.replace(record, equal=msgspec.structs.replace(record.equal, id="../x")),
    ):
        await runs.put(followed_name(WEST, "hotels"), msgspec.json.encode(forged))
        assert await stage.record() is None
    await runs.put(followed_name(WEST, "hotels"), b"{}")
    assert (await stage.follow(await stage.back_up())).followed is None
    # One whose snapshot holds something else than the record says.
    record = await stage.record()
    assert record is not None
    other = msgspec.structs.replace(record.equal, content_digest="0" * 64)
    await write_followed(runs, msgspec.structs.replace(record, equal=other))
    assert (await stage.follow(await stage.back_up())).followed is None


KILLED = ForbiddenError("killed", on="test", do="run again")
"""Ends a run as a kill would: no activity is tried again."""


class Kill:
    """Kills at the n-th write, of records or of documents, before or after it was made."""

    def __init__(self, world: World, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after
        self.world = world
        self.made = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        puts, writes = MemoryRunBlobs.put, type(self.world.west).index_documents

        async def put(blobs: Any, name: str, *given: Any, **options: Any) -> Any:
            return await self._around(lambda: puts(blobs, name, *given, **options), counts=name.startswith("followed/"))

        async def index_documents(service: Any, *given: Any, **options: Any) -> Any:
            return await self._around(lambda: writes(service, *given, **options), counts=service.name == WEST)

        monkeypatch.setattr(MemoryRunBlobs, "put", put)
        monkeypatch.setattr(type(self.world.west), "index_documents", index_documents)

    async def _around(self, write: Any, *, counts: bool) -> Any:
        if not counts:
            return await write()
        self._left -= 1
        self.made += 1
        if self._left == 0 and not self._after:
            raise KILLED
        answer = await write()
        if self._left == 0:
            raise KILLED
        return answer


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_every_write_it_resumes_and_the_record_never_claims_too_much(
    stage: Stage, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = stage.world
    monkeypatch.setattr("indexvault.restore.follow_writer.NOTED_AFTER", 1)
    monkeypatch.setattr("indexvault.restore.batches.MOST_ACTIONS", 2)
    rng = random.Random(5)
    killed = 0
    for at in range(1, 12):
        numbers = rng.sample(range(120), 5)
        await stage.change(EAST, upload=docs(*numbers, stars=at))
        made = await stage.back_up()
        with monkeypatch.context() as patched:
            kill = Kill(world, at, after=when == "after")
            kill.install(patched)
            try:
                await stage.follow(made)
            except IndexvaultError:
                killed += 1
        await _require_true(stage)
        if at % 3 == 0:
            # Another snapshot is asked for than the one that was being followed.
            await stage.change(EAST, upload=docs(*rng.sample(range(120), 3), stars=100 + at))
            made = await stage.back_up()
        report = await stage.follow(made)
        assert report.followed is not None
        assert report.uploaded <= 5 + 3 + 2
        await stage.require_equal()
        await _require_true(stage)
    assert killed >= 5


async def _require_true(stage: Stage) -> None:
    """Check that each document of the target is as in one of the snapshots that its record names."""
    record = await stage.record()
    assert record is not None
    ends = [record.equal.id, *([record.towards.id] if record.towards is not None else [])]
    allowed: dict[str, list[Any]] = {}
    for snapshot in ends:
        for document in stage.held[snapshot]:
            allowed.setdefault(document["id"], []).append(document)
    there = await stage.world.documents(WEST, "hotels", "id")
    assert [each["id"] for each in there] == sorted(allowed)
    assert all(each in allowed[each["id"]] for each in there)


steps = st.lists(
    st.tuples(
        st.lists(st.integers(0, 59), max_size=6),
        st.lists(st.integers(0, 59), max_size=4),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=6, deadline=None)
@given(steps)
async def test_following_random_histories_equals_a_full_sync(history: Any) -> None:
    calendar = Calendar(datetime(2026, 11, 20, 2, 30, tzinfo=UTC))
    async with open_world(MemoryStore("local", calendar), clock=calendar, settle_seconds=4) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(40))
        for name in ("hotels", "other"):
            await world.fill(hotels.DEFINITION | {"name": name}, [], service=WEST)
        stage = Stage(world, calendar)
        await stage.follow(await stage.back_up())
        pool = hotels.hotels(60)
        for number, (uploaded, deleted, skips) in enumerate(history):
            if uploaded:
                await stage.change(EAST, upload=[pool[at] | {"stars": number + 1} for at in set(uploaded)])
            if gone := {pool[at]["id"] for at in deleted} - {pool[at]["id"] for at in uploaded}:
                await stage.change(EAST, delete=sorted(gone))
            made = await stage.back_up()
            if skips:
                continue
            assert (await stage.follow(made)).followed is not None
            await world.restore(made, index="other", mode="sync")
            followed, synced = [await world.documents(WEST, name, "id") for name in ("hotels", "other")]
            assert followed == synced == await world.documents(EAST, "hotels", "id")
