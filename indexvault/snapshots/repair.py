"""Replace missing or damaged blobs, from wherever the same bytes still exist.

Nothing is taken on trust: a pack is replaced only if the new bytes hash to its name, or if everything that snapshots
need of it was proved by its hash in a new place; a manifest only if its checksum is right and it belongs there. Until
that is known, the damaged blob stays.

A repair removes packs, and leads to members in packs that no tree names yet. So it keeps sweeps of the index away, and
backups from relying on what it removes, by the declaration that a sweep makes; see `sweep`.
"""

from collections.abc import Sequence
from contextlib import aclosing

import msgspec

from indexvault.bounds import decode
from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.announcements import announced
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.damage import Finding
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.manifest import Manifest, open_manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    PackKind,
    PackName,
    SnapshotReference,
    parse_manifest_name,
    parse_pack_name,
)
from indexvault.snapshots.repair_packs import PackRepairer, UngatheredError, remove_if_there
from indexvault.snapshots.repair_sources import ReplicaSource, Source
from indexvault.snapshots.replicas import ReplicaBlobs
from indexvault.snapshots.run_names import sweep_name
from indexvault.snapshots.service_manifest import ServiceManifest, summarise_service
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata
from indexvault.snapshots.sweep_declaration import REPAIR_FOR, Declaration, declared
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.verify import VerifyReport


class Repaired(msgspec.Struct, frozen=True):
    """A blob that was replaced, and the source of its bytes."""

    blob: str
    source: str
    snapshots: tuple[str, ...]


class Unrepaired(msgspec.Struct, frozen=True):
    """A blob that is still missing or damaged, and why in words."""

    blob: str
    why: str
    snapshots: tuple[str, ...]


class RepairReport(msgspec.Struct, frozen=True):
    """The result of a repair."""

    repaired: tuple[Repaired, ...]
    left: tuple[Unrepaired, ...]


async def repair_index(store: Store, found: VerifyReport, sources: Sequence[Source], clock: Clock) -> RepairReport:
    """Repair what a verification found, asking the sources in their order.

    Manifests come first, since they say what is needed of packs, then segments, then packs and records of locations.
    Raises RemoteError if the store or a source can't be reached, ConflictError if a prune or another repair of the
    index is running. What an immutability policy protects stays damaged and is reported.
    """
    sweep = sweep_name(found.service, found.index)
    async with declared(store.runs, sweep, [], clock, lasts=REPAIR_FOR) as declaration:
        repairer = _Repairer(store, found, sources, clock, declaration)
        for finding in sorted(found.damage, key=_order):
            await repairer.repair(finding)
    return RepairReport(repaired=tuple(repairer.repaired), left=tuple(repairer.left))


def _order(finding: Finding) -> tuple[int, str]:
    if parse_manifest_name(finding.blob) is not None:
        return 0, finding.blob
    pack = parse_pack_name(finding.blob)
    return (1 if pack is not None and pack.kind == "segments" else 2), finding.blob


_KINDS: tuple[PackKind, ...] = ("packs", "segments")


class _Repairer:
    def __init__(
        self, store: Store, found: VerifyReport, sources: Sequence[Source], clock: Clock, declaration: Declaration
    ) -> None:
        self._store = store
        self._service, self._index = found.service, found.index
        self._sources = sources
        self._clock = clock
        self._declaration = declaration
        self._manifests: list[Manifest] | None = None
        replicas = [source for source in sources if isinstance(source, ReplicaSource)]
        self._walked = ReplicaBlobs([store, *replicas])
        self.repaired: list[Repaired] = []
        self.left: list[Unrepaired] = []

    async def repair(self, finding: Finding) -> None:
        reference, pack = parse_manifest_name(finding.blob), parse_pack_name(finding.blob)
        source = None
        why = f"its bytes could not be had ({', '.join(each.name for each in self._sources) or 'nowhere else to look'})"
        try:
            if reference is not None:
                source = await self._manifest(finding, reference)
            elif pack is not None:
                source = await self._pack(pack)
        except ConflictError as error:
            why = error.what
        except UngatheredError as error:
            why = f"{error} ({', '.join(each.name for each in self._sources) or 'nowhere else to look'})"
        if source is None:
            self.left.append(Unrepaired(finding.blob, why, finding.snapshots))
        else:
            self.repaired.append(Repaired(finding.blob, source, finding.snapshots))

    async def _pack(self, found: PackName) -> str | None:
        """Repair a pack, or the record that should lead to where its members are."""
        repairer = PackRepairer(
            self._store.snapshots, self._walked, await self._readable(), self._sources, self._declaration
        )
        if found.kind != "locations":
            return await repairer.put_back(found.blob, found) or await repairer.gather(found.blob, found)
        # Whether the old pack held chunks or segments shows in the trees, or in a replica that has it.
        sources: list[str] = []
        for kind in _KINDS:
            pack = PackName(kind, found.folder, found.sha256)
            if (source := await repairer.put_back(pack.blob, pack)) is not None:
                await remove_if_there(self._store.snapshots, found.blob)
                return source
            sources.append(await repairer.gather(pack.blob, pack))
        return ", ".join(dict.fromkeys(sources))

    async def _readable(self) -> list[Manifest]:
        """Return the manifests of the index that can be read, once those that can be are repaired."""
        if self._manifests is None:
            self._manifests = []
            for summary in await list_snapshots(self._store.snapshots, self._service, self._index):
                try:
                    self._manifests.append(await read_manifest(self._store.snapshots, summary))
                except (IntegrityError, NotFoundError):
                    continue
        return self._manifests

    async def _remove(self, finding: Finding) -> None:
        """Remove a damaged blob. One that is missing is put back without any right to delete."""
        if finding.kind != "missing":
            await self._store.snapshots.delete(finding.blob)

    async def _manifest(self, finding: Finding, reference: SnapshotReference) -> str | None:
        for source, data in await self._copies(reference):
            if reference.index == SERVICE_OBJECTS:
                service_manifest = decode(data, ServiceManifest)
                await self._replace_manifest(finding, data, summarise_service(service_manifest, len(data)))
            else:
                manifest = open_manifest(data, finding.blob)
                # Without its manifest, even for a moment, a sweep would take its packs for unnamed.
                async with announced(self._store, manifest, await self._used(manifest), self._clock()):
                    await self._replace_manifest(finding, data, summarise(manifest))
            return source.name
        return None

    async def _copies(self, reference: SnapshotReference) -> list[tuple[Source, bytes]]:
        """Return the sound copies of a manifest, those that are not authentic last: a forged one can be sound."""
        trusted: list[tuple[Source, bytes]] = []
        others: list[tuple[Source, bytes]] = []
        for source in self._sources:
            data = await source.manifest(reference)
            if data is None:
                continue
            judged = await self._store.snapshots.authority.of_manifest(
                reference.service, reference.index, reference.id or "", data
            )
            (others if judged == "unauthentic" else trusted).append((source, data))
        return trusted + others

    async def _replace_manifest(self, finding: Finding, data: bytes, summary: Summary) -> None:
        name = finding.blob
        await self._remove(finding)
        metadata = self._store.snapshots.authority.signed_metadata(name, data, to_metadata(summary))
        await self._store.snapshots.create(name, data, metadata=metadata, content_type="application/json")
        await note_snapshot(self._store.runs, summary)

    async def _used(self, manifest: Manifest) -> UsedPacks:
        """Return the packs that a snapshot uses, as far as its tree can be read."""
        used = UsedPacks()
        walk = TreeReader(self._walked, manifest.folder).unseen(manifest.tree, set(), lambda _node, _failure: None)
        async with aclosing(walk) as found:
            async for _level, entries in found:
                used.add(entries)
        return used
