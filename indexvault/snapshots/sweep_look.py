"""What a sweep looks at before it removes anything: all trees that name packs, and where rewritten packs went."""

from datetime import timedelta

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.announcements import announced_trees
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.known import known_snapshots, lost_snapshots
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    PackFolder,
    PackName,
    SnapshotReference,
    index_prefix,
    manifest_name,
    manifests_prefix,
    parse_manifest_name,
    parse_pack_name,
)
from indexvault.snapshots.run_names import sweep_name
from indexvault.snapshots.store import BlobProperties, Store
from indexvault.snapshots.tombstones import Tombstone, read_tombstones
from indexvault.snapshots.tree import Tree


class Look:
    """What the snapshots of an index need, as far as it has been looked at.

    `seen` are the manifests that were read. `records` are the records of locations. While `is_held`, nothing may be
    removed: a snapshot that was removed lately, or that is announced, can't say what it needs. `is_announced` if a
    snapshot is announced, some of whose packs may still be on their way.
    """

    def __init__(self, store: Store, service: str, index: str, *, clock: Clock, grace: timedelta) -> None:
        self._store = store
        self._service = service
        self._index = index
        self._clock = clock
        self._grace = grace
        self.folder = PackFolder(service=service, index=index)
        self.prefix = index_prefix(service, index)
        self.sweep_name = sweep_name(service, index)
        self.live = LiveMembers(store.snapshots, service, index)
        self.seen: set[str] = set()
        self.tombstones: dict[str, Tombstone] = {}
        self.records: dict[PackName, BlobProperties] = {}
        self.is_held = self.is_announced = False

    async def look(self, *, forget: bool = True) -> str:
        """Look at everything that is new, and return why nothing may be removed, or nothing if that may be.

        With `forget`, announcements that count no more are removed. Raises RemoteError if the store can't be read.
        """
        try:
            # Announcements before manifests: a removed announcement has become a manifest.
            trees = await announced_trees(self._store.runs, self._service, self._index, self._clock(), forget=forget)
            self.is_announced = self.is_announced or bool(trees)
            for folder, tree in trees:
                await self._walk_lately(folder.generation, tree)
            await self._read_manifests()
            for lost in await self._lost():
                return f"{lost}: its manifest has vanished, so its chunks are not known"
            await self._read_tombstones()
            await self._read_records()
        except (IntegrityError, NotFoundError) as error:
            return f"{error.on}: {error.what}"
        return ""

    async def _read_manifests(self) -> None:
        async for blob in self._store.snapshots.list(manifests_prefix(self._service, self._index)):
            if blob.name in self.seen:
                continue
            reference = parse_manifest_name(blob.name)
            if reference is None:
                raise IntegrityError(
                    "a foreign blob stands among the manifests", on=blob.name, do="Find out who wrote it"
                )
            if self._index != SERVICE_OBJECTS:  # whose manifests name no packs
                try:
                    manifest = await read_manifest(self._store.snapshots, reference)
                except NotFoundError:
                    continue  # removed since it was listed: its tombstone keeps what it needs
                await self.live.walk(manifest.generation, manifest.tree)
            self.seen.add(blob.name)

    async def _lost(self) -> list[SnapshotReference]:
        known = await known_snapshots(self._store.runs, self._service, self._index)
        unseen = [each for each in known if manifest_name(self._service, self._index, each.id or "") not in self.seen]
        return await lost_snapshots(self._store.snapshots, self._store.runs, unseen)

    async def _read_tombstones(self) -> None:
        # After the manifests: if one was removed since it was listed, its tombstone exists by now.
        self.tombstones = await read_tombstones(self._store.runs, self._service, self._index)
        for each in self.tombstones.values():
            if self._clock() - each.removed < self._grace:
                if each.tree is None:
                    self.is_held = True
                else:
                    await self._walk_lately(each.generation, each.tree)

    async def _walk_lately(self, generation: str, tree: Tree) -> None:
        try:
            await self.live.walk(generation, tree)
        except (IntegrityError, NotFoundError):
            self.is_held = True

    async def _read_records(self) -> None:
        self.records = {
            name: blob
            async for blob in self._store.snapshots.list(self.folder.prefix("locations"))
            if (name := parse_pack_name(blob.name)) is not None
        }
        await self.live.resolve(self.records)
