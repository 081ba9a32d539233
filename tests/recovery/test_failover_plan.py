"""What a failover brings over, decided from facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from indexvault.errors import ConflictError, NotFoundError, SettingsError
from indexvault.recovery.failover_job import Candidate, FailoverFacts, FailoverJob, IndexFacts
from indexvault.recovery.failover_plan import age_in_words, plan_failover
from tests.recovery.failover_world import PAIR
from tests.world import EAST, WEST

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
LOSSY = "it lacks what could not be read: --accept-loss takes it"


def at(minutes: int, fault: str = "") -> Candidate:
    """Return a snapshot that is so old."""
    created = NOW - timedelta(minutes=minutes)
    return Candidate(id=f"{created:%Y%m%dT%H%M%SZ}-{minutes:06x}", as_of=created, fault=fault)


def facts(*indexes: IndexFacts, **members: Any) -> FailoverFacts:
    return FailoverFacts(generation=4, source=EAST, now=NOW, indexes=indexes, objects=(at(43),), **members)


def job(**members: Any) -> FailoverJob:
    return FailoverJob(pair="contoso", to=WEST, run="failover-1", **members)


def test_a_presumed_snapshot_is_taken_and_called_so() -> None:
    presumed = replace(at(3), presumed=True)
    (hotels,) = plan_failover(job(), PAIR, facts(IndexFacts(index="hotels", snapshots=(presumed, at(43))))).indexes
    assert hotels.snapshot == presumed.id
    assert hotels.note == "it is presumed: only what a field says was changed has been read since the last full reading"


def test_the_newest_usable_snapshot_of_each_index_is_taken_and_newer_ones_are_named() -> None:
    found = plan_failover(
        job(),
        PAIR,
        facts(
            IndexFacts(index="hotels", snapshots=(at(3, LOSSY), at(43), at(103)), there=True),
            IndexFacts(index="rooms", snapshots=(at(43),)),
            only_there=("drafts",),
            unread=("east",),
        ),
    )
    hotels, rooms = found.indexes
    assert (hotels.snapshot, hotels.mode, hotels.older) == (at(43).id, "sync", at(103).id)
    assert hotels.note == f"the newer snapshot {at(3).id} is passed over: {LOSSY}"
    assert (rooms.snapshot, rooms.mode, rooms.older, rooms.note) == (at(43).id, "create", "", "")
    assert (found.generation, found.lock) == (5, ("drafts", "hotels", "rooms"))
    assert found.kinds == (
        "synonymmaps",
        "datasources",
        "skillsets",
        "indexers",
        "knowledgesources",
        "knowledgebases",
        "aliases",
    )
    assert found.warnings == ("store east does not answer, and is passed over",)


def test_kinds_that_are_hot_are_left_alone() -> None:
    pair = replace(PAIR, kinds={"aliases": "hot-hot", "indexers": "hot-cold"})
    found = plan_failover(job(), pair, facts(IndexFacts(index="hotels", snapshots=(at(1),))))
    assert "aliases" not in found.kinds
    assert "indexers" in found.kinds


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (IndexFacts(index="hotels"), "hotels: no snapshot of it is in reach; nothing was changed"),
        (
            IndexFacts(index="hotels", snapshots=(at(1, LOSSY),)),
            f"hotels: its newest snapshot {at(1).id} can't be used: {LOSSY}; nothing was changed",
        ),
        (
            IndexFacts(index="hotels", snapshots=(at(1),), alias=True),
            "hotels: contoso-west has an alias of this name; nothing was changed",
        ),
    ],
)
def test_an_index_that_can_not_be_brought_over_is_named_with_the_way_on(index: IndexFacts, said: str) -> None:
    with pytest.raises(ConflictError) as caught:
        plan_failover(job(), PAIR, facts(index))
    assert caught.value.what == said
    assert caught.value.do == "To fail over all the same, leave them out: --leave-out hotels"
    left = plan_failover(job(leave_out=("hotels",)), PAIR, facts(index))
    assert [(each.index, each.accepted) for each in left.left_out] == [("hotels", True)]


def test_older_snapshots_can_be_asked_for_one_by_one_or_by_time() -> None:
    hotels = IndexFacts(index="hotels", snapshots=(at(3), at(43), at(103)))
    rooms = IndexFacts(index="rooms", snapshots=(at(3), at(43)))
    named = plan_failover(job(snapshots=(f"{EAST}/hotels@{at(103).id}",)), PAIR, facts(hotels, rooms))
    assert [each.snapshot for each in named.indexes] == [at(103).id, at(3).id]
    early = plan_failover(job(at=NOW - timedelta(minutes=40)), PAIR, facts(hotels, rooms))
    assert [each.snapshot for each in early.indexes] == [at(43).id, at(43).id]
    with pytest.raises(ConflictError, match="no snapshot of it is that old"):
        plan_failover(job(at=NOW - timedelta(days=4)), PAIR, facts(hotels))


@pytest.mark.parametrize(
    ("members", "kind", "said"),
    [
        ({"snapshots": (f"{EAST}/hotels@{at(9).id}",)}, NotFoundError, "no single snapshot of this name is in reach"),
        ({"snapshots": (f"{WEST}/hotels@{at(3).id}",)}, NotFoundError, "no single snapshot of this name is in reach"),
        ({"snapshots": (f"{EAST}/hotels@latest",)}, SettingsError, "it names no single snapshot"),
        ({"leave_out": ("hotles",)}, NotFoundError, "the pair has no index hotles"),
        ({"planned": True, "at": NOW}, SettingsError, "a planned failover makes snapshots of its own"),
    ],
)
def test_what_is_not_there_or_means_nothing_is_refused(members: dict[str, Any], kind: Any, said: str) -> None:
    with pytest.raises(kind, match=said):
        plan_failover(job(**members), PAIR, facts(IndexFacts(index="hotels", snapshots=(at(3),))))


def test_a_planned_failover_reads_every_index_and_compares_it() -> None:
    found = plan_failover(job(planned=True), PAIR, facts(IndexFacts(index="hotels", there=True), answers=True))
    assert (found.indexes[0].mode, found.compared, found.warnings) == ("sync", ("hotels",), ())


def test_a_failover_that_need_not_lose_anything_says_so() -> None:
    found = plan_failover(job(), PAIR, facts(IndexFacts(index="hotels", snapshots=(at(3),)), answers=True))
    assert found.warnings == ("contoso-east answers: with --planned, nothing would be lost",)


def test_a_hot_pair_restores_nothing_and_repairs_from_its_authority_alone() -> None:
    hot = replace(PAIR, mode="hot-hot")
    index = IndexFacts(index="hotels", there=True)
    found = plan_failover(job(repair=True), hot, facts(index, answers=True))
    assert (found.indexes, found.compared, found.repair, found.kinds) == ((), ("hotels",), True, ())
    ours = plan_failover(job(repair=True), replace(hot, authority=WEST), facts(index, answers=True))
    assert not ours.repair


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=9), "9 s"),
        (timedelta(minutes=43), "43 min"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=9), "3 d 4 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(seconds=-3), "0 s"),
    ],
)
def test_ages_are_told_as_a_person_says_them(age: timedelta, said: str) -> None:
    assert age_in_words(age) == said
