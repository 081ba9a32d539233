"""Sweep an index: remove the packs that no snapshot needs, and rewrite those that are mostly dead.

A pack is removed if no tree names anything in it, it was written longer ago than the grace period, and the last
snapshot that needed it was removed longer ago than that. The same holds for a record of locations by which nothing
alive is found. An old pack of which everything alive lies in new ones (see `repack`) goes too, at once: readers who
don't find it look for its record.

**Why this may run beside anything else.** Deletions are declared: the sweep writes which blobs it is about to delete,
then looks again at announcements, manifests, tombstones and records of locations, and spares what any of them needs. A
backup writes its announcement, then looks for a declared sweep, and takes what that deletes for gone. Whichever comes
second sees the first (see `announcements`). For a pack that was rewritten:

- The new packs are stored before the record, and the record before the old pack is declared. Whoever finds the old
  pack gone therefore finds the record, and the copies by it.
- A backup that relies on the old pack may commit all the same: what it needs has another place, or it is refused. What
  it needs beyond the record, since the sweep took it for dead, makes it be refused, if it comes second, and keeps the
  old pack, if it comes first.
- Before the old pack goes, its copies are seen to be there, by a listing made after the record. Another sweep that took
  the new packs for unneeded, since it had looked before the record was written, looks at the records again after it has
  declared them.
- A record that an earlier run left is believed only after every copy was compared, byte for byte, with the old pack.
- Two sweeps of an index don't run at once: the declaration is taken over only when its time is up. If clocks differ
  and that comes too early, the other one sees it before its next deletions, and stops; see `sweep_declaration`.

Nothing is removed or rewritten while a manifest or a segment can't be read, a known snapshot has vanished, a pack is
gone without a record of where its members lie now (any pack that looks unneeded may hold them), or a snapshot that was
removed within the grace period can't say what it needed.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.announcements import LAST_CALL, SWEEP_FOR
from indexvault.snapshots.known import forget_snapshot
from indexvault.snapshots.names import (
    PackKind,
    PackName,
    SnapshotReference,
    manifest_name,
    parse_pack_name,
    repair_advice,
)
from indexvault.snapshots.packs import PACK_TARGET
from indexvault.snapshots.repack import ALIVE_ENOUGH, Copies, Fill, choose, copy_live, in_batches, is_copied
from indexvault.snapshots.store import BlobProperties, Store
from indexvault.snapshots.sweep_declaration import TAKEN_OVER, Declaration, declared
from indexvault.snapshots.sweep_deletion import Deletion
from indexvault.snapshots.sweep_look import Look
from indexvault.snapshots.sweep_report import SweepReport
from indexvault.snapshots.tombstones import remove_tombstones

GRACE = timedelta(days=1)
"""How long a pack stays after it was written, and after the last snapshot that needed it was removed."""


_KINDS: Sequence[PackKind] = ("packs", "segments")


async def sweep_index(
    store: Store,
    service: str,
    index: str,
    *,
    clock: Clock,
    grace: timedelta = GRACE,
    dry_run: bool = False,
    target: int = PACK_TARGET,
    enough: float = ALIVE_ENOUGH,
) -> SweepReport:
    """Remove the packs of an index that no snapshot needs, and rewrite those of which less than `enough` is alive.

    `target` are the bytes of a full pack. Nothing is removed while a manifest can't be read or has vanished, since what
    it needs is not known. Raises ConflictError if another sweep of the index runs, RemoteError if the store can't be
    read.
    """
    look = Look(store, service, index, clock=clock, grace=grace)
    hindrance = await look.look(forget=not dry_run)
    if hindrance:
        return SweepReport(hindrance=hindrance)
    sweep = _Sweep(store, look, clock=clock, grace=grace, target=target, enough=enough)
    await sweep.plan()
    if not dry_run and not sweep.report.hindrance:
        await sweep.run()
        if not sweep.report.refused and not sweep.report.hindrance:
            await _end_grace(store, service, index, look, clock() - grace)
    return sweep.report


async def _end_grace(store: Store, service: str, index: str, look: Look, until: datetime) -> None:
    """Remove the tombstones of snapshots that were removed until some time."""
    over = [snapshot for snapshot, tombstone in look.tombstones.items() if tombstone.removed <= until]
    for snapshot in over:
        if manifest_name(service, index, snapshot) not in look.seen:
            # A prune that died, or a record written late, may have left it.
            await forget_snapshot(store.runs, SnapshotReference(service=service, index=index, id=snapshot))
    await remove_tombstones(store.runs, service, index, over)


class _Sweep:
    """One sweep of an index. `report` says what it would do once it is planned, and what it did once it has run."""

    def __init__(self, store: Store, look: Look, *, clock: Clock, grace: timedelta, target: int, enough: float) -> None:
        self._blobs = store.snapshots
        self._runs = store.runs
        self._look = look
        self._clock = clock
        self._grace = grace
        self._target = target
        self._enough = enough
        self._began = clock()
        self._due: list[BlobProperties] = []
        self._superseded: list[tuple[PackName, BlobProperties]] = []
        self._batches: list[list[Fill]] = []
        self._proved: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._needed = 0
        self.report = SweepReport()

    async def plan(self) -> None:
        """Decide what to remove and what to rewrite."""
        live = self._look.live
        packs = await self._packs()
        if self.report.hindrance:
            return
        unneeded = [blob for pack, blob in packs if not live.number(pack)]
        unneeded += [blob for record, blob in self._look.records.items() if not live.is_needed(record)]
        self._due = [blob for blob in unneeded if self._is_over(blob)]
        settled = [(pack, blob) for pack, blob in packs if self._is_over(blob)]
        self._superseded = [(pack, blob) for pack, blob in settled if live.is_superseded(pack)]
        self._choose(settled)
        self._sizes = {blob.name: blob.size for _pack, blob in packs}
        self._needed = sum(min(live.size(pack), blob.size) for pack, blob in packs if not live.is_superseded(pack))
        going = [*self._due, *(blob for _pack, blob in self._superseded)]
        sparse = [each for batch in self._batches for each in batch]
        freed = sum(each.size - each.live for each in sparse)
        self.report = SweepReport(
            removed=len(going),
            removed_bytes=sum(blob.size for blob in going),
            waiting=len(unneeded) - len(self._due),
            waiting_bytes=sum(blob.size for blob in unneeded) - sum(blob.size for blob in self._due),
            rewritten=len(sparse),
            rewritten_bytes=freed,
            not_rewritten=await self._refusal() if sparse else "",
        )
        if self.report.not_rewritten:
            self._batches = []
            self._note(rewritten=0, rewritten_bytes=0)
        left = sum(self._sizes.values()) - sum(self._sizes.get(blob.name, 0) for blob in going)
        self._count(left - self.report.rewritten_bytes)

    async def run(self) -> None:
        """Remove and rewrite it."""
        self._note(removed=0, removed_bytes=0, rewritten=0, rewritten_bytes=0)
        going = [*self._due, *[blob for pack, blob in self._superseded if await self._prove(pack)]]
        if going or self._batches:
            names = [blob.name for blob in going]
            async with declared(
                self._runs, self._look.sweep_name, names, self._clock, there=self._there()
            ) as declaration:
                if going:
                    removed = await self._remove(going, declaration)
                    self._note(removed=len(removed), removed_bytes=sum(blob.size for blob in removed))
                await self._rewrite(declaration)
        self._count(sum(self._sizes.values()))

    def _there(self) -> set[str]:
        return {*self._sizes, *(record.blob for record in self._look.records)}

    async def _packs(self) -> list[tuple[PackName, BlobProperties]]:
        """Return all packs, and note as a hindrance if one is lost."""
        packs = [each for kind in _KINDS async for each in self._list(kind)]
        if self._look.live.lost({blob.name for _pack, blob in packs}) is None:
            return packs
        # Another sweep may have rewritten it since the look.
        self._note(hindrance=await self._look.look(forget=False))
        packs = [each for kind in _KINDS async for each in self._list(kind)]
        lost = self._look.live.lost({blob.name for _pack, blob in packs})
        if lost is not None and (self._look.is_announced or self._look.is_held):
            self._look.is_held = True  # it may be on its way, or a removed snapshot's: until that is past, all stays
        elif lost is not None and not self.report.hindrance:
            what = "the pack is gone, and no record says where its members lie"
            self._note(hindrance=f"{lost.blob}: {what}. {repair_advice(lost.blob)}")
        return packs

    async def _list(self, kind: PackKind) -> AsyncIterator[tuple[PackName, BlobProperties]]:
        async for blob in self._blobs.list(self._look.folder.prefix(kind)):
            if (name := parse_pack_name(blob.name)) is not None:
                yield name, blob

    def _is_over(self, blob: BlobProperties) -> bool:
        """Return whether a blob's grace period is over."""
        return not self._look.is_held and self._clock() - blob.modified >= self._grace

    def _choose(self, settled: Sequence[tuple[PackName, BlobProperties]]) -> None:
        live = self._look.live
        rewritten = {(name.folder.generation, name.sha256) for name in self._look.records}
        groups: dict[tuple[str, PackKind], list[tuple[datetime, Fill]]] = {}
        for pack, blob in settled:
            if live.number(pack) and (pack.folder.generation, pack.sha256) not in rewritten:
                fill = Fill(pack, blob.size, live.size(pack), live.hops(pack))
                groups.setdefault((pack.folder.generation, pack.kind), []).append((blob.modified, fill))
        for group in groups.values():
            # By age: what was written together often dies together.
            group.sort(key=lambda each: (each[0], each[1].pack.sha256))
            chosen = choose([fill for _modified, fill in group], target=self._target, enough=self._enough)
            self._batches += in_batches(chosen, target=self._target)

    async def _refusal(self) -> str:
        """Return why packs had better not be rewritten, since the old ones would stay, or nothing."""
        try:
            protection = await self._blobs.protection(self._look.prefix)
        except IndexvaultError:  # the first deletion that is refused shows it
            return ""
        return _REFUSALS.get(protection.kind, "")

    async def _prove(self, pack: PackName) -> bool:
        """Return whether the copies of what is alive in a superseded pack are sound."""
        number = self._look.live.number(pack)
        try:
            # Of two packs whose records lead to each other, only one may go.
            is_proved = await is_copied(self._blobs, pack, self._look.live, without=self._proved)
        except NotFoundError:
            return False
        except IntegrityError as error:
            self._note(not_rewritten=f"{error.on}: {error.what}")
            return False
        if is_proved:
            self._proved[pack.blob] = number
        else:
            self._note(not_rewritten=f"{pack.blob}: what it holds is not where its record of locations says")
        return is_proved

    async def _remove(self, going: Sequence[BlobProperties], declaration: Declaration) -> list[BlobProperties]:
        """Look again, remove what is still not needed of blobs that were declared, and return that."""
        hindrance = await self._look.look()
        if hindrance or self._look.is_held:
            self._note(hindrance=hindrance)
            return []
        allowed = [blob for blob in going if self._may_go(blob)]
        deleting = Deletion(self._blobs, declaration)
        await deleting.delete(allowed)
        for blob in deleting.removed:
            self._sizes.pop(blob.name, None)
        refused = sorted(deleting.refused, key=lambda refusal: refusal.blob)
        self._note(refused=(*self.report.refused, *refused), hindrance=deleting.hindrance)
        return deleting.removed

    def _may_go(self, blob: BlobProperties) -> bool:
        name = parse_pack_name(blob.name)
        if name is None:
            return False
        live = self._look.live
        if name.kind == "locations":
            return not live.is_needed(name)
        number = live.number(name)
        return not number or (live.is_superseded(name) and self._proved.get(blob.name) == number)

    async def _rewrite(self, declaration: Declaration) -> None:
        for batch in self._batches:
            is_late = self._clock() > self._began + SWEEP_FOR - LAST_CALL
            if is_late or self.report.refused or self.report.hindrance or self._look.is_held:
                return
            first = batch[0].pack
            taken = {name.sha256 for name in self._look.records if name.folder == first.folder}
            copies = await copy_live(
                self._blobs, [fill.pack for fill in batch], self._look.live, taken=taken, target=self._target
            )
            self._sizes |= copies.stored
            for error in copies.damaged:
                self._note(not_rewritten=f"{error.on}: {error.what}")
            if copies.rewritten and not await self._replace(copies, declaration):
                return

    async def _replace(self, copies: Copies, declaration: Declaration) -> bool:
        """Remove packs that were copied, and return whether the sweep may go on."""
        live = self._look.live
        going = [blob for pack in copies.rewritten if (blob := await self._blobs.properties(pack.blob)) is not None]
        numbers = {pack.blob: live.number(pack) for pack in copies.rewritten}
        freed = {pack.blob: live.size(pack) for pack in copies.rewritten}
        try:
            await declaration.declare([blob.name for blob in going])
        except ConflictError:
            self._note(not_rewritten=TAKEN_OVER)
            return False
        for name, size in copies.stored.items():
            there = await self._blobs.properties(name)
            if there is None or there.size != size:
                self._note(not_rewritten=f"{name}: it vanished right after it was stored")
                return False
        self._proved |= numbers
        removed = await self._remove(going, declaration)
        self._note(
            rewritten=self.report.rewritten + len(removed),
            rewritten_bytes=self.report.rewritten_bytes + sum(blob.size - freed[blob.name] for blob in removed),
        )
        return True

    def _count(self, stored: int) -> None:
        self._note(stored_bytes=stored, wasted_bytes=max(0, stored - self._needed))

    def _note(self, **changes: object) -> None:
        self.report = msgspec.structs.replace(self.report, **changes)


_REFUSALS = {
    "container": "the container refuses deletions, so old packs would stay beside the new ones",
    "version": "the account keeps versions of deleted packs, so old packs would stay and be billed beside the new ones",
}
