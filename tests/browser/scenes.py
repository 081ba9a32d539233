"""Scenes for screenshots and for the tests: all well, much wrong, runs at work, and one with hostile names."""

import random
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from indexvault.errors import ErrorRecord
from indexvault.recovery.drift_records import DriftState, write_drift
from indexvault.recovery.standby_records import StandbyState, write_state
from indexvault.search.batch import batch, upload_action
from indexvault.settings.model import PairSettings
from indexvault.snapshots.catalogue import read_manifest, resolve
from indexvault.snapshots.manifest import Definition, Loss, VersionedDefinition, seal
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.summary import summarise, to_metadata
from indexvault.workflow.runs import RunRecord
from tests import hotels
from tests.browser.stage import DAY, NIGHT, Stage
from tests.world import EAST, WEST

NAMES = ("guests", "hotels", "prices", "rooms-2026")
SERVICE = "$service"


def run_at(when: datetime) -> str:
    """Return the name of the policy's run of a night."""
    return f"{when:%Y%m%dT%H%M%SZ}-policy-nightly"


async def healthy(stage: Stage, *, nights: int = 14, names: tuple[str, ...] = NAMES) -> None:
    """Every index has what it should, after some nights in which documents were added."""
    rng = random.Random(11)
    for at, name in enumerate(names):
        await stage.fill(name, 40 + 30 * at)
    await stage.fill("scratch", 5)
    for night in range(nights, 0, -1):
        when = NIGHT - (night - 1) * DAY
        for at, name in enumerate(names):
            first = 1000 + night * 100
            added = range(first, first + rng.randrange(1, 12) * (at + 1))
            lines = [_document(number) for number in added]
            await stage.world.east.index_documents(name, batch(upload_action(line) for line in lines))
            await stage.back_up(name, when + timedelta(minutes=at))
    await stage.copy(*names)
    await stage.verify(*names)
    await stage.record(run_at(NIGHT.replace(minute=0) - DAY), *names)
    await stage.record(run_at(NIGHT.replace(minute=0)), *names)


def _document(number: int) -> bytes:
    return f'{{"id":"{number:06}","name":"Hotel {number} by the sea","stars":{number % 5 + 1}}}'.encode()


async def broken(stage: Stage) -> None:
    """The night went wrong in several ways, and the other store is behind."""
    await healthy(stage, nights=3)
    failure = ErrorRecord(
        kind="ForbiddenError",
        what="the identity lacks the role Search Index Data Reader",
        on=f"{EAST} index prices",
        do="Give it the role, then run the policy again",
    )
    await stage.fill("offers", 20)
    await stage.world.fill(hotels.with_field("stars", retrievable=False) | {"name": "reviews"}, hotels.hotels(30))
    await stage.back_up("reviews", NIGHT)
    gone = stage.own.snapshots
    newest = max(name for name in gone._blobs if "/hotels/manifests/" in name)
    await gone.delete(newest)
    stage.clock.now += 2 * DAY
    await stage.back_up("guests", stage.clock.now - timedelta(hours=7))
    await stage.back_up("rooms-2026", stage.clock.now - timedelta(hours=31))
    later = stage.clock.now.replace(hour=2, minute=0)
    await stage.record(run_at(later), "prices", failure=failure)


async def paired(stage: Stage) -> None:
    """A standby has followed, has failed, and lacks an index; two services that are both written to have drifted."""
    await healthy(stage, nights=2)
    now = stage.clock.now
    warm = PairSettings(
        primary=EAST,
        standby=WEST,
        indexes=("*", "!scratch"),
        recovery_point=timedelta(hours=8),
        recovery_time=timedelta(minutes=30),
    )
    hot = replace(warm, mode="hot-hot", drift_schedule="0 0 * * * *", indexes=("guests", "hotels", "rooms-*"))
    settings = stage.world.clients.settings
    stage.world.clients.settings = replace(settings, pairs={"contoso": warm, "mirror": hot})
    runs = stage.world.clients.store_of(WEST).runs
    equal = StandbyState(
        pair="contoso",
        index="guests",
        source=EAST,
        service=WEST,
        generation=0,
        run="20261120T020500Z-follow-of-contoso-1",
        tried_at=now - timedelta(hours=7),
        snapshot="20261120T020400Z-7f3a9c",
        created=NIGHT,
        equal_at=now - timedelta(hours=7),
    )
    failure = ErrorRecord(
        kind="ConflictError",
        what="the index has another schema: stars",
        on=f"{WEST} index hotels",
        do="Delete it there, and the next run creates it again",
    )
    await write_state(runs, equal)
    await write_state(runs, replace(equal, index=SERVICE))
    old = replace(equal, index="hotels", created=NIGHT - 2 * DAY)
    await write_state(runs, replace(old, failure=failure, failed_since=now - 2 * DAY))
    await write_state(runs, replace(equal, index="prices", gone_since=now - timedelta(hours=1)))
    drift = DriftState(
        pair="mirror", index="guests", one=EAST, other=WEST, run="x", tried_at=now, measured=now - timedelta(minutes=12)
    )
    await write_drift(runs, drift)
    since = now - timedelta(hours=3)
    await write_drift(runs, replace(drift, index="hotels", changed=37, missing=5, extra=3, since=since))
    gone = replace(drift, index="rooms-2026", absent=WEST, since=now - timedelta(hours=9))
    await write_drift(runs, gone)
    await write_drift(runs, replace(drift, index=SERVICE, definition=["synonymmaps/words/synonyms"], since=since))


async def running(stage: Stage, *, nights: int = 3) -> RunRecord:
    """A backup of all is half done, and a restore compares."""
    await healthy(stage, nights=nights)
    began = stage.clock.now - timedelta(minutes=6)
    record = await stage.record(run_at(began), *NAMES, working=True)
    await stage.progress(f"{record.run}-0", documents=61_420, expected=240_000, began=began)
    await stage.progress(f"{record.run}-1", documents=8_100_000, expected=11_250_000, began=began)
    await stage.progress(f"{record.run}-2", documents=12_000, expected=18_000, began=began)
    await stage.progress(f"{record.run}-3", documents=2_000, expected=90_000, began=began)
    restore = f"{began:%Y%m%dT%H%M%SZ}-restore-7f3a9c"
    await stage.record(
        restore,
        "hotels-restored",
        working=True,
        kind="restore",
        workflow="run_restore",
        owner="POST /restores",
        policy=None,
        asked=f"{EAST}/hotels@latest as {EAST}/hotels-restored",
    )
    await stage.progress(f"{restore}-0", documents=310_000, expected=400_000, began=began, stage="load")
    return record


HOSTILE = (
    "<script>document.title='owned'</script>",
    '" onmouseover="document.title=1" x="',
    "</code></pre><img src=x onerror=document.title='owned'>",
    "name\u202eevil\u2066",
    "&lt;b&gt;not bold",
)


async def hostile(stage: Stage) -> str:
    """Definitions, field names, errors, tools and runs say what would run in a page that does not escape."""
    definition = hotels.definition(name="hotels")
    made = await _hostile_snapshot(stage, definition)
    failure = ErrorRecord(kind="RemoteError", what=HOSTILE[0], on=HOSTILE[1], do=HOSTILE[2])
    await stage.record("20261119T020000Z-policy-nightly", "hotels", failure=failure, asked=HOSTILE[0], owner=HOSTILE[3])
    return made


async def _hostile_snapshot(stage: Stage, definition: dict[str, object]) -> str:
    """Write a snapshot whose definition and losses hold hostile texts, and 1 MB of description."""
    await stage.world.fill(definition, hotels.hotels(5))
    made = await stage.back_up("hotels")
    store = stage.world.store.snapshots
    reference = SnapshotReference(service=EAST, index="hotels", id=made)
    manifest = await read_manifest(store, await resolve(store, reference, now=stage.clock()))
    fields = [*definition["fields"], *({"name": text, "type": "Edm.String"} for text in HOSTILE)]  # type: ignore[misc]
    text = {**definition, "fields": fields, "description": HOSTILE[0] + "x" * 1_000_000, HOSTILE[1]: HOSTILE[2]}
    body = VersionedDefinition("2026-04-01", msgspec.Raw(msgspec.json.encode(text)))
    changed = msgspec.structs.replace(
        manifest,
        definition=Definition(stable=body),
        losses=tuple(Loss(field=each, reason=HOSTILE[0]) for each in HOSTILE),
        state="lossy",
        tool=HOSTILE[0],
        run=HOSTILE[1],
        key_field=HOSTILE[2],
    )
    name = manifest_name(EAST, "hotels", made)
    await store.delete(name)
    await store.create(
        name,
        seal(changed),
        metadata={key: value for key, value in to_metadata(summarise(changed)).items() if value.isascii()},
    )
    return made
