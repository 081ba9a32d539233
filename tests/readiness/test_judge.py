"""Every check at every level, as golden files, and what a pair would survive by them."""

from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from indexvault.errors import ErrorRecord
from indexvault.readiness.facts import DrillFacts, ObjectFacts, PairFacts
from indexvault.readiness.judge import judge
from indexvault.readiness.report import CheckKind, ReadinessCheck, ReadinessLevel
from indexvault.recovery.drift_records import DriftState
from indexvault.status.facts import ReplicaFacts, VerificationFacts
from tests.readiness.samples import (
    ACTIVE,
    DAY,
    HOUR,
    MADE,
    MINUTE,
    NOW,
    OBJECTS,
    OTHER,
    POINT,
    READY,
    RESOURCE,
    index,
    standby,
    statistics,
)

GOLDEN = Path(__file__).resolve().parent.parent / "fixtures" / "readiness"
DEAD = {"unread": "no answer within 15 s", "statistics": None, "may_write": None, "sizes": None, "objects": None}
FORBIDDEN = {"resource": None, "untold": "the identity may not ask it (HTTP 403)"}
FAILURE = ErrorRecord(kind="QuotaError", what="there is no room for it", on="contoso-west/hotels", do="Make room")
OLD = replace(POINT, created=NOW - 3 * HOUR)


def drift(name: str, **changes: Any) -> DriftState:
    state = DriftState(
        pair="contoso", index=name, one="contoso-east", other="contoso-west", run="drift", tried_at=NOW, measured=NOW
    )
    return replace(state, **changes)


def hot(name: str, found: DriftState | None) -> Any:
    return index(name, standby=None, drift=found)


SCENES: dict[str, PairFacts] = {
    "ready": READY,
    "the management api is refused": replace(
        READY, active=replace(ACTIVE, **FORBIDDEN, replicas=2), other=replace(OTHER, **FORBIDDEN)
    ),
    "small and old services": replace(
        READY,
        active=replace(ACTIVE, resource=replace(RESOURCE, replicas=1, created=NOW.replace(year=2020))),
        other=replace(
            OTHER,
            tier="free",
            region="westus",
            resource=replace(RESOURCE, tier="basic", region="West US", replicas=1, status="degraded"),
        ),
    ),
    "services from before zones": replace(
        READY,
        active=replace(ACTIVE, resource=replace(RESOURCE, created=NOW.replace(year=2020), status="provisioning")),
        other=replace(OTHER, tier="basic", resource=replace(RESOURCE, tier="basic", region="West US 2", status=None)),
    ),
    "one region": replace(
        READY, other=replace(OTHER, region="eastus", store_region="eastus", resource=replace(RESOURCE, replicas=3))
    ),
    "the active service is gone with its store": replace(
        READY,
        active=replace(ACTIVE, **DEAD, **FORBIDDEN, store_unread="no answer within 15 s"),
        indexes=(),
        data_sources=None,
        needs=None,
        role_unread="store east",
        unread=("store east: the list of snapshots did not answer within 15 s",),
    ),
    "the other service is gone": replace(
        READY, other=replace(OTHER, **DEAD, store_unread="no answer within 15 s"), copies_unread="store west: no answer"
    ),
    "the standby is made at failover": replace(
        READY,
        mode="hot-cold",
        other=None,
        indexes=(index("hotels", standby=None, covered_after=False),),
        needs=(ObjectFacts("datasources", "orders-db", ("credentials.connectionString",)),),
    ),
    "the other service is too small": replace(
        READY,
        other=replace(
            OTHER,
            sizes={},
            objects={**OBJECTS, "synonymmaps": frozenset({"a", "b", "c"})},
            statistics=statistics(
                indexesCount=(14, 15),
                storageSize=(9_000_000, 15_000_000),
                vectorIndexSize=(0, 1_100_000),
                synonymMaps=(3, 3),
                documentCount=(0, 200),
            ),
        ),
        indexes=(index("hotels", misfits=("the index has 120 fields, and the target (basic) takes at most 100",)),),
    ),
    "snapshots are late and copies later": replace(
        READY,
        indexes=(
            index("hotels", last_complete=OLD, last_proved=None, replicas=(ReplicaFacts(store="west", last=None),)),
            index("orders", replicas=(ReplicaFacts(store="west", last=MADE - 10 * MINUTE),)),
            index("rooms", last_complete=None, last_proved=None, replicas=()),
        ),
    ),
    "damage and drills": replace(
        READY,
        indexes=(
            index("hotels", last_verified=VerificationFacts(at=NOW, damage=("packs/ab: it is missing",)), drill=None),
            index("orders", drill=DrillFacts(target="contoso-west", finished=NOW - DAY, failure="a chunk is damaged")),
            index("rooms", last_verified=None, drill=DrillFacts(target="lab", finished=NOW, seconds=2400.0)),
        ),
    ),
    "old proofs and drills": replace(
        READY,
        indexes=(
            index(
                "hotels",
                last_proved=replace(OLD, created=NOW - 40 * DAY),
                last_verified=VerificationFacts(at=NOW - 20 * DAY),
                drill=DrillFacts(target="lab", finished=NOW - 100 * DAY, seconds=60.0),
            ),
        ),
    ),
    "the standby is behind": replace(
        READY,
        indexes=(
            index("hotels", standby=standby("hotels", created=NOW - 2 * HOUR, failure=FAILURE)),
            index("orders", standby=None),
            index("rooms", standby=standby("rooms", failure=FAILURE)),
        ),
    ),
    "just after a failback": replace(READY, generation=2, indexes=(index("hotels", standby=None),)),
    "the standby has what was deleted": replace(
        READY, indexes=(index("hotels", standby=standby("hotels", gone_since=NOW - DAY)),)
    ),
    "an unplanned failover": replace(READY, is_following=False),
    "a role that was forged": replace(READY, role_failure="pairs/contoso/000001: no record key has signed it"),
    "secrets and data sources are left": replace(
        READY,
        overlay=None,
        geo_redundant=(),
        has_record_key=False,
        needs=(
            ObjectFacts("datasources", "orders-db", ("credentials.connectionString",), is_there=False),
            ObjectFacts("skillsets", "names", ("skills[0].apiKey",), is_there=True),
        ),
        other=replace(OTHER, may_write=False),
        indexes=(index("hotels", covered_after=False), index("orders")),
    ),
    "secrets can't be seen": replace(
        READY, needs=(ObjectFacts("datasources", "orders-db", ("credentials.connectionString",), is_there=True),)
    ),
    "hot-hot and alike": replace(READY, mode="hot-hot", indexes=(hot("hotels", drift("hotels")),)),
    "hot-hot with drift": replace(
        READY,
        mode="hot-hot",
        indexes=(
            hot("hotels", drift("hotels", changed=37, missing=5, extra=3, since=NOW - 2 * HOUR)),
            hot("orders", drift("orders", definition=["fields/x"], since=NOW - MINUTE)),
            hot("rooms", drift("rooms", absent="contoso-west", since=NOW)),
            hot("stays", None),
        ),
    ),
    "hot-hot with drift of old": replace(
        READY,
        mode="hot-hot",
        indexes=(
            hot("hotels", drift("hotels", measured=NOW - 3 * HOUR)),
            hot("orders", drift("o", measured=None, failure=FAILURE)),
        ),
    ),
    "hot-hot with new drift": replace(
        READY, mode="hot-hot", indexes=(hot("hotels", drift("hotels", changed=1, since=NOW - MINUTE)),)
    ),
}


def line(check: ReadinessCheck) -> str:
    said = f"{check.what}. {check.do}" if check.do else check.what
    return f"{check.level:<8}{check.subject}: {check.check}: {said} ({check.source})"


def lines(scene: str) -> str:
    """Return a scene as it stands in its golden file: whole for a pair that is ready, else what is not as there."""
    found = judge(SCENES[scene])
    as_ready = set[str]() if scene == "ready" else {line(check) for check in judge(READY).checks}
    said = [f"{found.pair}: {found.mode}, {found.active} active, {found.other or 'nobody'} stands by: {found.level}"]
    said += [f"survives the loss of {each.of}: {each.survived}: {each.why}" for each in found.survives]
    said += [text for check in found.checks if (text := line(check)) not in as_ready]
    return "\n".join(said) + "\n"


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_is_judged_as_its_golden_file_says(scene: str) -> None:
    golden = GOLDEN / f"{scene.replace(' ', '-')}.txt"
    assert lines(scene) == golden.read_text()


def test_the_golden_files_are_those_of_the_scenes() -> None:
    assert {each.stem for each in GOLDEN.iterdir()} == {scene.replace(" ", "-") for scene in SCENES}


def test_the_scenes_have_every_check_and_every_level() -> None:
    found = [check for facts in SCENES.values() for check in judge(facts).checks]
    assert {check.check for check in found} == set(get_args(CheckKind.__value__))
    assert {check.level for check in found} == set(get_args(ReadinessLevel.__value__))
    assert all(check.do for check in found if check.level in {"bad", "warning"})


def test_a_pair_that_is_ready_survives_all() -> None:
    found = judge(READY)
    assert {check.level for check in found.checks} == {"good"} | {
        check.level for check in found.checks if check.check == "writes promised"
    }
    assert [each.survived for each in found.survives] == ["yes", "yes", "yes"]


@pytest.mark.parametrize("scene", SCENES)
def test_what_could_not_be_read_is_never_good(scene: str) -> None:
    """Take away what was read, one part after the other: no check gets better."""
    facts = SCENES[scene]
    before = {(each.check, each.subject): each.level for each in judge(facts).checks}
    less: list[PairFacts] = [
        replace(facts, active=replace(facts.active, **DEAD)),
        replace(facts, active=replace(facts.active, **FORBIDDEN)),
        replace(facts, active=replace(facts.active, store_unread="no answer")),
        replace(facts, copies_unread="no answer"),
        replace(facts, needs=None, data_sources=None),
        replace(facts, indexes=(), unread=("no answer",)),
    ]
    if facts.other is not None:
        less.append(replace(facts, other=replace(facts.other, **DEAD)))
    for worse in less:
        for each in judge(worse).checks:
            if each.level == "good":
                assert before.get((each.check, each.subject), "good") == "good", (each, scene)
