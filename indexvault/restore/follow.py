"""Bring a target on from the snapshot that it equals to another one, by what differs between the two.

The target is not read, apart from its definition and its count. What differs comes from the trees of both snapshots, so
there are as many writes as changes. A following that can't be trusted is none: the caller syncs in full instead, which
proves every document and begins anew.
"""

from datetime import datetime

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError, SettingsError
from indexvault.model import IndexName
from indexvault.restore.checks import Check, failure
from indexvault.restore.follow_writer import FollowWriter, SnapshotPair
from indexvault.restore.followed import (
    Followed,
    FollowedSnapshot,
    Written,
    changed_meanwhile,
    forget_followed,
    read_followed,
    why_not_followed,
    write_followed,
)
from indexvault.restore.job import RestoreJob
from indexvault.restore.preflight import checks
from indexvault.restore.read_target import count_all
from indexvault.restore.state import read_restore_state
from indexvault.restore.stretch_source import manifest_of
from indexvault.restore.target_facts import TargetFacts, gather_facts, resolve_name
from indexvault.search.definition_content import content_digest, same_content
from indexvault.search.schema import Schema, read_schema
from indexvault.settings.load import service_settings
from indexvault.settings.policies import reading_order
from indexvault.snapshots.manifest import Manifest, Presumption
from indexvault.snapshots.restored import note_restored
from indexvault.snapshots.store import RunBlobs, SnapshotReader, StoreReader
from indexvault.workflow.activity import Activity, Resources, Work
from indexvault.workflow.patience import Patience, settle_seconds
from indexvault.workflow.payload_size import SHOW, listed

FULL = "-full"
"""What the name of the run ends with that syncs in full for a run that was to follow."""


class FollowInput(msgspec.Struct, frozen=True):
    """A restore that is to follow, and the index that is written, which the locks are taken of."""

    job: RestoreJob
    written_index: str

    @property
    def target(self) -> IndexName:
        """The index that is written."""
        return IndexName(self.job.target_service, self.written_index)

    @property
    def work(self) -> Work:
        """What the activities of a following work for."""
        return msgspec.structs.replace(self.job.work, run=self.job.locked_by or self.job.run, also=(self.target,))


class FollowTarget(msgspec.Struct, frozen=True):
    """The index that is written, and the run that has not finished writing to it, if there is one."""

    written_index: str
    interrupted: str | None


class FollowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, or `why` nothing could be followed.

    `equal` is the snapshot that the target equalled before; `resumed` is the run that had not finished following.
    """

    why: str | None = None
    equal: str = ""
    written: Written = Written()
    resumed: str | None = None
    proved: datetime | None = None
    documents: int = 0
    losses: list[str] = []
    presumption: Presumption | None = None


class SettleFollowInput(msgspec.Struct, frozen=True):
    """A following whose writes the service has acknowledged, and how many documents there should be."""

    given: FollowInput
    documents: int


class FollowSettled(msgspec.Struct, frozen=True):
    """Whether the target counts what the snapshot holds, as far as it was waited for; and when that was."""

    agrees: bool
    counted: int
    finished: datetime


class ProvedInput(msgspec.Struct, frozen=True):
    """A sync that has read every document back; `whole` says that it compared all of each."""

    given: FollowInput
    whole: bool


class ProvedNoted(msgspec.Struct, frozen=True):
    """Why the next sync can't follow, in words, or None."""

    why: str | None


def require_followable(job: RestoreJob) -> None:
    """Raise SettingsError for a restore that does something else than to make an index equal to a snapshot."""
    others = {
        "keys or filter": bool(job.keys) or job.filter is not None,
        "a patch": job.patch is not None,
        "update_definition": job.update_definition,
        "an alias to swap": job.alias is not None,
        "skip_refused": job.skip_refused,
    }
    wrong = next((name for name, is_asked in others.items() if is_asked), None)
    if job.mode != "sync" or wrong is not None:
        raise SettingsError(
            f"it can't be used with {wrong or f'mode {job.mode}'}",
            on="follow",
            do="Follow with mode sync and the whole snapshot, or leave follow out",
        )


async def find_target(resources: Resources, job: RestoreJob) -> FollowTarget:
    """Find the index that is written, and a run that was interrupted. Raises SettingsError as `require_followable`."""
    require_followable(job)
    store = resources.clients.store_of(job.target_service)
    service_settings(resources.clients.settings, job.target_service)
    await store.prepare()
    resolved = await resolve_name(resources.clients.service(job.target_service), job.target_index)
    target = IndexName(job.target_service, resolved.index or job.target_index)
    restoring = await read_restore_state(store.runs, target)
    if restoring is not None:
        return FollowTarget(target.index, restoring.execution.removesuffix(FULL))
    found = await read_followed(store.runs, target)
    is_interrupted = found is not None and found.record.towards is not None and found.record.run != job.run
    return FollowTarget(target.index, found.record.run if found is not None and is_interrupted else None)


async def follow_check(resources: Resources, job: RestoreJob, facts: TargetFacts) -> Check:
    """Return whether a restore would follow. Writes nothing. Raises SettingsError as `require_followable`."""
    require_followable(job)
    given = FollowInput(job, facts.resolved.index or job.target_index)
    state = await _look(resources, given, facts, _store(resources, job))
    if isinstance(state, str):
        return Check("follow", "ok", f"every document is compared: {state}")
    return Check("follow", "ok", f"only what differs from {state.record.equal.id} is written")


async def follow(resources: Resources, given: FollowInput) -> FollowOutcome:
    """Write what differs between the snapshot that the target equals and the one that is asked for.

    Raises the errors of the checks of a restore, RefusedError for documents that the target refuses, ConflictError if
    somebody else has written the target's record. A following that was interrupted is finished first.
    """
    job = given.job
    store = _store(resources, job)
    manifest = await manifest_of(store, job.service, job.index, job.snapshot)
    facts, _definition = await gather_facts(resources, job, manifest, store.name)
    error = failure(checks(facts), f"{job.target_service} index {job.target_index}")
    if error is not None:
        raise error
    if facts.resolved.index != given.written_index:
        raise ConflictError("its alias was changed since this run began", on=str(job.target), do="Run it again")
    state = await _look(resources, given, facts, store)
    if isinstance(state, str):
        return FollowOutcome(why=state)
    before, resumed = state.record.equal.id, state.record.run if state.record.towards is not None else None
    written = await _bring_on(resources, given, store.snapshots, state, manifest)
    return FollowOutcome(
        equal=before,
        written=written,
        resumed=resumed if resumed != job.run else None,
        proved=state.record.proved,
        documents=manifest.counts.documents,
        losses=listed(manifest.lacks, SHOW),
        presumption=manifest.presumption,
    )


async def settle_following(resources: Resources, asked: SettleFollowInput) -> FollowSettled:
    """Wait until the target counts what the snapshot holds, then note that it equals it.

    If the count does not come to agree, somebody else has written too: the record is removed.
    """
    given, job = asked.given, asked.given.job
    runs = resources.clients.store_of(job.target_service).runs
    target = resources.clients.service(job.target_service)
    version = await read_followed(runs, given.target)
    if version is None or job.snapshot not in {each.id for each in _ends(version.record)}:
        raise changed_meanwhile(given.target)
    record = version.record
    schema = read_schema((await target.index_definition(given.written_index)).body, on=str(given.target))
    wait = Patience(settle_seconds(resources, job.target_service), resources.sleep)
    while (counted := await count_all(target, given.written_index, schema)) != asked.documents and await wait():
        pass
    now = resources.clock()
    if counted != asked.documents:
        await forget_followed(runs, given.target)
        return FollowSettled(agrees=False, counted=counted, finished=now)
    if record.towards is not None:
        arrived = msgspec.structs.replace(
            record, equal=record.towards, towards=None, after="", written=Written(), at=now, times=record.times + 1
        )
        await resources.fence()
        await note_restored(resources.clients.store_of(job.target_service), given.target, at=now, run=job.run)
        await write_followed(runs, arrived, etag=version.etag)
    return FollowSettled(agrees=True, counted=counted, finished=now)


async def note_proved(resources: Resources, asked: ProvedInput) -> ProvedNoted:
    """Note that a target was proved equal to a snapshot, so that the next sync can follow from there."""
    given, job = asked.given, asked.given.job
    runs = resources.clients.store_of(job.target_service).runs
    target = resources.clients.service(job.target_service)
    manifest = await manifest_of(_store(resources, job), job.service, job.index, job.snapshot)
    present = await target.index_definition(given.written_index)
    schema = read_schema(present.body, on=str(given.target))
    if not asked.whole or _hidden(schema):
        return ProvedNoted("not all of each document could be compared")
    counted = await count_all(target, given.written_index, schema)
    if counted != manifest.counts.documents:
        return ProvedNoted(f"the target counts {counted:,} documents")
    now = resources.clock()
    record = Followed(
        target=given.target,
        service=job.service,
        index=job.index,
        equal=_snapshot(manifest),
        etag=present.etag,
        definition=content_digest(present.body),
        proved=now,
        at=now,
        run=job.run,
    )
    await resources.fence()
    await write_followed(runs, record)
    return ProvedNoted(None)


class _Following(msgspec.Struct, frozen=True):
    """A target that can be brought on: its record, and the manifests that the record names."""

    record: Followed
    etag: str
    equal: Manifest
    towards: Manifest | None
    schema: Schema


async def _look(resources: Resources, given: FollowInput, facts: TargetFacts, store: StoreReader) -> _Following | str:
    """Return what a following starts from, or why there can't be one, in words."""
    job, manifest = given.job, facts.manifest
    runs = resources.clients.store_of(job.target_service).runs
    if facts.resolved.index is None or await _is_unfinished(runs, given.target):
        return "it is not there, or a restore into it is unfinished"
    target = resources.clients.service(job.target_service)
    version = await read_followed(runs, given.target)
    present = await target.index_definition(given.written_index)
    schema = read_schema(present.body, on=str(given.target))
    why = why_not_followed(
        version.record if version is not None else None,
        service=job.service,
        index=job.index,
        present=present,
        counted=await count_all(target, given.written_index, schema),
        prove_every=job.prove_every,
        now=resources.clock(),
    )
    if version is None or why is not None:
        return why or "no sync has proved which snapshot it equals"
    found = [await _known(store, job, each) for each in _ends(version.record)]
    if not all(found):
        return f"the snapshot {version.record.equal.id} that it equalled is gone, or another one now"
    manifests = [each for each in found if each is not None]
    if not all(same_content(each.definition.fullest.body, manifest.definition.fullest.body) for each in manifests):
        return "the definition of the source has changed"
    towards = manifests[1] if len(manifests) > 1 else None
    return _Following(version.record, version.etag, manifests[0], towards, schema)


async def _is_unfinished(runs: RunBlobs, target: IndexName) -> bool:
    restoring = await read_restore_state(runs, target)
    return restoring is not None and restoring.touched


async def _known(store: StoreReader, job: RestoreJob, wanted: FollowedSnapshot) -> Manifest | None:
    """Return the manifest of a snapshot if it is the one that a record names, and may be relied on."""
    try:
        manifest = await manifest_of(store, job.service, job.index, wanted.id)
    except (NotFoundError, IntegrityError):
        return None
    is_trusted = manifest.authenticity != "unauthentic" or job.accept_unauthentic
    return manifest if is_trusted and _snapshot(manifest) == wanted else None


async def _bring_on(
    resources: Resources, given: FollowInput, blobs: SnapshotReader, state: _Following, manifest: Manifest
) -> Written:
    """Write what differs, first what an interrupted following has left, and return what was written in all."""
    record, equal = state.record, state.equal
    writer = FollowWriter(resources, given.job.run, given.target, state.schema, state.etag)
    if state.towards is not None and state.towards.id != manifest.id:
        await writer.write(record, SnapshotPair(blobs, equal, state.towards))
        # Each document is as in that snapshot now, so it is the one to be brought on from.
        record = msgspec.structs.replace(record, equal=_snapshot(state.towards), towards=None, after="")
        equal = state.towards
    if record.towards is None and record.equal.id == manifest.id:
        return writer.written
    if record.towards is None:
        record = msgspec.structs.replace(record, towards=_snapshot(manifest), after="", written=writer.written)
    await writer.write(record, SnapshotPair(blobs, equal, manifest))
    return writer.written


def _store(resources: Resources, job: RestoreJob) -> StoreReader:
    settings = resources.clients.settings
    near = service_settings(settings, job.target_service).region
    first = job.store or reading_order(settings, job.service, near=near)[0]
    return resources.clients.source_store(job.service, first, without=job.without)


def _snapshot(manifest: Manifest) -> FollowedSnapshot:
    return FollowedSnapshot(manifest.id, manifest.counts.documents, manifest.content_digest)


def _ends(record: Followed) -> list[FollowedSnapshot]:
    return [record.equal, *([record.towards] if record.towards is not None else [])]


def _hidden(schema: Schema) -> bool:
    return any(not field.is_readable for _path, field in schema.walk())


FIND_TARGET = Activity("find_followed_target", RestoreJob, FollowTarget, find_target)
FOLLOW = Activity("follow_snapshot", FollowInput, FollowOutcome, follow, lambda given: given.work)
SETTLE_FOLLOW = Activity(
    "settle_following", SettleFollowInput, FollowSettled, settle_following, lambda asked: asked.given.work
)
NOTE_PROVED = Activity("note_proved_target", ProvedInput, ProvedNoted, note_proved, lambda asked: asked.given.work)
ACTIVITIES = (FIND_TARGET, FOLLOW, SETTLE_FOLLOW, NOTE_PROVED)
