"""Kill each operation at each request that changes something, before its effect and after it.

First the operation runs whole and its changing requests are numbered. Then, for each number and each side of the
effect, it runs again in a fresh world and dies there: locks and leases stay as they are. The same command must then
succeed, or say truthfully that there is nothing left to do; every other verb must work; and what the services hold must
be what an undisturbed run leaves, by a dump of the emulator's storage.
"""

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from indexvault.recovery.failover_state import read_failover
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.roles import read_role
from tests.soak.invariants import Memory, ViolationError, read_snapshot, require, same, snapshots_in
from tests.soak.process import When
from tests.soak.stage import EAST, LOCAL, PAIR, REPLICA, WEST, WESTERN, Ended, Stage
from tests.soak.truth import Dump
from tests.soak.virtual_loop import run

LOCKS_EXPIRE = timedelta(minutes=11)
INDEX = "hotels"


@dataclass
class World:
    """A stage with an index, what it held at first, and a folder for files."""

    stage: Stage
    folder: Path
    source: Dump
    memories: Mapping[str, Memory]
    case: "Case"

    async def done(self, *argv: str) -> Ended:
        """Run a command that must succeed."""
        ended = await self.stage.run(*argv)
        require(ended.code in {0, 3} and not ended.crashes, "the preparation works", f"{argv}: {ended}")
        self.remember()
        return ended

    def remember(self) -> None:
        """Check that no stored blob was changed."""
        for memory in self.memories.values():
            memory.check()

    def target(self, index: str, expected: Dump) -> None:
        """Check that an index of the west holds these documents."""
        same(self.stage.dump(WEST, index), expected, what=f"{WEST}/{index}")

    def alias(self, name: str) -> str:
        """Return the index that an alias of the west points at."""
        stored = self.stage.service(WEST).resources["aliases"].get(name)
        require(stored is not None, "an alias is there", name)
        assert stored is not None
        index: str = stored.body["indexes"][0]
        return index


type Work = Callable[[World], Coroutine[Any, Any, list[str]]]
type Check = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operation: how its world is made, its command, and what must be so in the end.

    `argv` may hold `{snapshot}` and `{folder}`.
    """

    name: str
    argv: tuple[str, ...]
    prepare: Callable[[World], Awaitable[None]]
    check: Check
    key: Mapping[str, bool] | None = None
    hides: bool = False
    stage: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Kill:
    """A case, the number of the changing request at which it dies, and on which side of its effect."""

    case: Case
    number: int
    when: When
    label: str

    def __str__(self) -> str:
        """As a report names it."""
        return f"{self.case.name} killed {self.when} change {self.number}, {self.label}"


def kills(case: Case) -> list[Kill]:
    """Run a case whole, and return every kill that there is for it."""
    changes = in_world(case, _whole)
    return [Kill(case, number, when, label) for number, label in enumerate(changes, 1) for when in _SIDES]


def perform(kill: Kill) -> None:
    """Run a case, kill it, and see that it comes to a good end. Raises ViolationError if it does not."""

    async def work(world: World) -> list[str]:
        await _killed(world, kill)
        return []

    try:
        in_world(kill.case, work)
    except ViolationError as violation:
        raise ViolationError(violation.rule, f"{kill}: {violation}") from None


_SIDES: tuple[When, When] = ("before", "after")


def in_world(case: Case, work: Work) -> list[str]:
    """Make a case's world, do some work in it, and return what that returns."""
    folder = Path(tempfile.mkdtemp(prefix="indexvault-kill-"))
    try:
        return run(_prepared(case, folder, work))
    finally:
        shutil.rmtree(folder)


async def _prepared(case: Case, folder: Path, work: Work) -> list[str]:
    stage = Stage(**{"seed": 1, **(case.stage or {})})
    key = {"filterable": True, "sortable": True, **(case.key or {})}
    stage.tell(EAST, "POST", "/indexes", _definition(key, hides=case.hides))
    documents = [
        {"id": f"{number:04}", "number": number % 11, "text": f"{number} " + "x" * 400, "secret": "s"}
        for number in range(70)
    ]
    stage.tell(EAST, "POST", f"/indexes/{INDEX}/docs/index", {"value": documents})
    memories = {name: Memory(store) for name, store in stage.stores.items()}
    world = World(stage, folder, stage.dump(EAST, INDEX) or {}, memories, case)
    await case.prepare(world)
    return await work(world)


def _definition(key: Mapping[str, bool], *, hides: bool) -> dict[str, Any]:
    plain = {"filterable": False, "sortable": False, "facetable": False, "searchable": False, "retrievable": True}
    return {
        "name": INDEX,
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True, **plain, **key},
            {"name": "number", "type": "Edm.Int32", **plain, "filterable": True, "sortable": True},
            {"name": "text", "type": "Edm.String", **plain, "searchable": True},
            {"name": "secret", "type": "Edm.String", **plain, "retrievable": not hides},
        ],
    }


async def command_of(world: World) -> tuple[str, ...]:
    """Return the case's command, with what it names in this world."""
    known = sorted(reference.id or "" for reference in snapshots_in(world.stage.stores[LOCAL]).values())
    snapshot = f"{EAST}/{INDEX}@{known[-1]}" if known else ""
    return tuple(part.format(snapshot=snapshot, folder=world.folder) for part in world.case.argv)


async def _whole(world: World) -> list[str]:
    argv = await command_of(world)
    process = world.stage.process(only_changes=True)
    ended = await world.stage.run(*argv, process=process)
    require(ended.code in {0, 3} and not ended.crashes, "the operation works", f"{argv}: {ended}")
    world.remember()
    await _checked(world)
    return ended.changes


async def _killed(world: World, kill: Kill) -> None:
    argv = await command_of(world)
    process = world.stage.process(only_changes=True, kill_at=kill.number, kill_when=kill.when)
    ended = await world.stage.run(*argv, process=process)
    require(not ended.crashes, "a kill raises nothing else", "\n".join(ended.crashes))
    if ended.code is not None:
        return  # the order of requests differs from that of the whole run; another number is this one
    world.remember()
    await _looks(world, "right after the kill")
    again = await world.stage.run(*argv)
    if again.code == 5:
        world.stage.skew += LOCKS_EXPIRE
        again = await world.stage.run(*argv)
    require(not again.crashes, "every failure is an IndexvaultError", "\n".join(again.crashes))
    require(not again.error.startswith("indexvault: unexpected"), "every failure is known", again.error)
    world.remember()
    if again.code not in {0, 3}:
        # It may say that there is nothing left to do, but only if that is so.
        require(again.code in {4, 5}, "the same command ends well", f"exit {again.code}: {again.error}")
        try:
            await _checked(world)
        except ViolationError as violation:
            raise ViolationError(
                "the same command ends well", f"exit {again.code}: {again.error}, though {violation}"
            ) from None
    await _checked(world)
    await _looks(world, "after the same command")
    await _backed_up(world)


async def _checked(world: World) -> None:
    await world.case.check(world)


async def _looks(world: World, when: str) -> None:
    """Use the verbs that only look."""
    for argv in (("snapshots",), ("verify", f"{EAST}/{INDEX}")):
        ended = await world.stage.run(*argv)
        damaged = any(memory.damaged for memory in world.memories.values())
        allowed = {0, 4, 6} if damaged else {0, 4}
        require(
            ended.code in allowed and not ended.crashes,
            "other verbs work",
            f"{argv} {when}: {ended.code} {ended.error}",
        )


async def _backed_up(world: World) -> None:
    """Heal, and back the index up if it is still there."""
    healed = await world.stage.run("heal")
    require(healed.code == 0, "other verbs work", f"heal: {healed.error}")
    if world.stage.dump(EAST, INDEX) is None:
        return
    ended = await world.stage.run("backup", EAST, INDEX)
    if ended.code == 5:
        world.stage.skew += LOCKS_EXPIRE
        ended = await world.stage.run("backup", EAST, INDEX)
    require(ended.code in {0, 3}, "other verbs work", f"backup: {ended.code} {ended.error}")
    await _newest_holds(world, world.stage.dump(EAST, INDEX) or {})


# What is so in the end


async def _newest_holds(world: World, expected: Dump) -> None:
    references = sorted(snapshots_in(world.stage.stores[LOCAL]).values(), key=lambda each: each.id or "")
    require(bool(references), "there is a snapshot", "none")
    manifest, documents = await read_snapshot(world.stage.stores[LOCAL], references[-1])
    shown = (
        expected
        if manifest.state == "complete"
        else {key: {name: one[name] for name in one if name != "secret"} for key, one in expected.items()}
    )
    require(documents == shown, "the newest snapshot holds the index", str(references[-1]))


async def _source_backed_up(world: World) -> None:
    await _newest_holds(world, world.source)


async def _source_kept(world: World) -> None:
    same(world.stage.dump(EAST, INDEX), world.source, what="the source")


async def _restored(world: World) -> None:
    await _source_kept(world)
    world.target("new", world.source)


async def _aliased(world: World) -> None:
    world.target("new", world.source)
    require(world.alias("guests") == "new", "the alias points at the new index", world.alias("guests"))


async def _replaced(world: World) -> None:
    world.target(world.alias("guests"), world.source)
    others = [name for name in world.stage.service(WEST).indexes if name != world.alias("guests")]
    require(not others, "nothing else is left on the target", str(others))


async def _replaced_in_place(world: World) -> None:
    world.target("old", world.source)
    others = [name for name in world.stage.service(WEST).indexes if name != "old"]
    require(not others, "nothing else is left on the target", str(others))


async def _synced(world: World) -> None:
    world.target("old", world.source)


async def _filled(world: World) -> None:
    old = {key: {"id": key, "number": 1, "text": "old", "secret": None} for key in _OLD}
    world.target("old", {**world.source, **old})


async def _moved(world: World) -> None:
    await _source_kept(world)
    world.target("moved", world.source)


async def _moved_away(world: World) -> None:
    world.target("moved", world.source)
    require(world.stage.dump(EAST, INDEX) is None, "the source is deleted", INDEX)
    require(world.alias("guests") == "moved", "the alias points at the target", world.alias("guests"))


async def _pruned(world: World) -> None:
    left = snapshots_in(world.stage.stores[LOCAL])
    require(len(left) == 1, "one snapshot is left", str(sorted(left)))
    await _newest_holds(world, world.stage.dump(EAST, INDEX) or {})


async def _repaired(world: World) -> None:
    flaws = await world.memories[LOCAL].flaws(EAST, INDEX)
    require(not flaws, "nothing is missing or damaged", str(flaws[:3]))
    await _newest_holds(world, world.source)


async def _replicated(world: World) -> None:
    there, here = snapshots_in(world.stage.stores[REPLICA]), snapshots_in(world.stage.stores[LOCAL])
    require(there.keys() == here.keys(), "the replica has every snapshot", str(sorted(there)))
    for name in there:
        flaws = await world.memories[REPLICA].flaws_of(name)
        require(not flaws, "the replica is whole", str(flaws[:3]))


async def _failed_over(world: World) -> None:
    world.target(INDEX, world.source)
    await _swapped_to(world, WEST, generation=1)
    _runs_on(world, WEST)


async def _failed_over_as_planned(world: World) -> None:
    await _failed_over(world)
    _rests_on(world, EAST)


async def _failed_back(world: World) -> None:
    """The west was written to while it was active; the east held a document that nobody else had."""
    west = world.stage.dump(WEST, INDEX) or {}
    require("written-in-the-west" in west, "nothing that was written is lost", str(sorted(west)[-3:]))
    same(world.stage.dump(EAST, INDEX), west, what=f"{EAST}/{INDEX}")
    await _swapped_to(world, EAST, generation=2)
    _runs_on(world, EAST)
    _rests_on(world, WEST)


async def _swapped_to(world: World, service: str, *, generation: int) -> None:
    """Check that both stores say the same, and that the roles were swapped as often as was asked for."""
    for store in (LOCAL, WESTERN):
        role = await read_role(world.stage.stores[store].runs, PAIR)
        require(role is not None, "both stores have the role", store)
        assert role is not None
        found = (role.active, role.generation)
        require(found == (service, generation), "the roles are swapped once", f"{store}: {found}")
    state = await read_failover(world.stage.stores[WESTERN if service == WEST else LOCAL].runs, PAIR)
    require(state is not None and state.phase == "ended", "the failover has ended", str(state and state.phase))


def _runs_on(world: World, service: str) -> None:
    indexer = world.stage.service(service).resources["indexers"]["reads"].body
    require(indexer.get("disabled") is not True, "the indexer runs on the service that is active", service)


def _rests_on(world: World, service: str) -> None:
    indexer = world.stage.service(service).resources["indexers"]["reads"].body
    require(indexer.get("disabled") is True, "the indexer rests on the other service", service)


async def _revealed(world: World) -> None:
    fields = world.stage.service(EAST).indexes[INDEX].definition["fields"]
    hidden = [field["name"] for field in fields if not field["retrievable"]]
    require(hidden == ["secret"], "revealed fields are hidden again", str(hidden))
    await _newest_holds(world, world.source)


async def _imported(world: World) -> None:
    references = snapshots_in(world.stage.stores[LOCAL]).values()
    imported = [reference for reference in references if reference.index == "imported"]
    require(bool(imported), "the folder is a snapshot", "none")
    for reference in imported:
        _manifest, documents = await read_snapshot(world.stage.stores[LOCAL], reference)
        require(documents == world.source, "an imported snapshot holds the folder", str(reference))


# How worlds are made

_OLD = ("0003", "0500", "0501")


async def _with_copies(world: World) -> None:
    """An indexer on the east, and all of the east as copied snapshots in the region of the west."""
    source = {"name": "table", "type": "azuretable", "container": {"name": "t"}}
    world.stage.tell(EAST, "POST", "/datasources", {**source, "credentials": {"connectionString": "UseManaged"}})
    world.stage.tell(WEST, "POST", "/datasources", {**source, "credentials": {"connectionString": "UseManaged"}})
    indexer = {"name": "reads", "dataSourceName": "table", "targetIndexName": INDEX}
    world.stage.tell(EAST, "POST", "/indexers", indexer)
    await world.done("backup", EAST)
    await world.done("replicate", EAST, "--to", WESTERN)


async def _with_warm_standby(world: World) -> None:
    """The west is as an earlier snapshot of the east."""
    document = {"id": "0000", "number": 9, "text": "as it was", "secret": "s"}
    now = world.source["0000"]
    world.stage.tell(EAST, "POST", f"/indexes/{INDEX}/docs/index", {"value": [document]})
    await _with_copies(world)
    await world.stage.run("follow", PAIR)
    require(world.stage.dump(WEST, INDEX) is not None, "the standby follows", INDEX)
    world.stage.tell(EAST, "POST", f"/indexes/{INDEX}/docs/index", {"value": [now]})
    await world.done("backup", EAST)
    await world.done("replicate", EAST, "--to", WESTERN)


async def _with_failover(world: World) -> None:
    """The west is active; a document was written to it since, and the east holds one that no snapshot has."""
    await _with_copies(world)
    document = {"id": "only-in-the-east", "number": 1, "text": "lost", "secret": "s"}
    world.stage.tell(EAST, "POST", f"/indexes/{INDEX}/docs/index", {"value": [document]})
    await world.done("failover", PAIR, "--yes")
    document = {"id": "written-in-the-west", "number": 1, "text": "kept", "secret": "s"}
    world.stage.tell(WEST, "POST", f"/indexes/{INDEX}/docs/index", {"value": [document]})


async def _nothing(_world: World) -> None:
    """Leave the world as it is."""


async def _with_snapshot(world: World) -> None:
    await world.done("backup", EAST, INDEX)


async def _with_old(world: World) -> None:
    """Have an older index on the target, with a document that differs and two that the snapshot lacks."""
    await _with_snapshot(world)
    key = {"filterable": True, "sortable": True}
    world.stage.tell(WEST, "POST", "/indexes", {**_definition(key, hides=False), "name": "old"})
    documents = [{"id": key, "number": 1, "text": "old"} for key in _OLD]
    world.stage.tell(WEST, "POST", "/indexes/old/docs/index", {"value": documents})


async def _with_old_alias(world: World) -> None:
    await _with_old(world)
    world.stage.tell(WEST, "POST", "/aliases", {"name": "guests", "indexes": ["old"]})


async def _with_waste(world: World) -> None:
    """Have two snapshots too many, and packs that an earlier prune has left for now."""
    await _with_snapshot(world)
    for day in range(3):
        world.stage.skew += timedelta(days=2)
        documents = [{"id": f"{number:04}", "text": f"{day} " + "y" * 400} for number in range(day, 70, 3)]
        world.stage.tell(EAST, "POST", f"/indexes/{INDEX}/docs/index", {"value": documents})
        await world.done("backup", EAST, INDEX)
        if day == 0:
            await world.done("prune", EAST, "--yes")
    world.stage.skew += timedelta(days=2)


async def _with_damage(world: World) -> None:
    """Have a pack that is gone and a manifest that is damaged, both whole in the replica."""
    await _with_snapshot(world)
    await world.done("replicate", EAST, "--to", REPLICA)
    memory = world.memories[LOCAL]
    blobs = memory.store.snapshots._blobs
    manifest = next(iter(snapshots_in(memory.store)))
    pack = next(name for name in blobs if "/packs/" in name)
    blob = blobs[manifest]
    blobs[manifest] = type(blob)(blob.data.replace(b"a", b"b", 1), blob.metadata, blob.modified, blob.etag)
    del blobs[pack]
    memory.damaged |= {manifest, pack}


async def _with_folder(world: World) -> None:
    await _with_snapshot(world)
    await world.done("export", f"{EAST}/{INDEX}@latest", str(world.folder / "dump"))


_RESTORE = ("restore", "{snapshot}", "--parallel", "1", "--to")
_MOVE = ("move", f"{EAST}/{INDEX}", "--parallel", "1", "--to", f"{WEST}/moved")
_BARE = {"filterable": False, "sortable": False}
_APART = {"shared_store": False}
_PAIRED = {"paired": True}

CASES: Sequence[Case] = (
    Case(name="backup", argv=("backup", EAST, INDEX), prepare=_nothing, check=_source_backed_up),
    Case(name="backup in parts", argv=("backup", EAST, INDEX), prepare=_nothing, check=_source_backed_up, key=_BARE),
    Case(name="create", argv=(*_RESTORE, f"{WEST}/new"), prepare=_with_snapshot, check=_restored),
    Case(
        name="create with alias",
        argv=(*_RESTORE, f"{WEST}/new", "--alias", "guests"),
        prepare=_with_snapshot,
        check=_aliased,
    ),
    Case(
        name="replace",
        argv=(*_RESTORE, f"{WEST}/guests", "--mode", "replace", "--delete-old"),
        prepare=_with_old_alias,
        check=_replaced,
    ),
    Case(
        name="replace in place",
        argv=(*_RESTORE, f"{WEST}/old", "--mode", "replace", "--replace-in-place"),
        prepare=_with_old,
        check=_replaced_in_place,
    ),
    Case(name="sync", argv=(*_RESTORE, f"{WEST}/old", "--mode", "sync"), prepare=_with_old, check=_synced),
    Case(name="fill", argv=(*_RESTORE, f"{WEST}/old", "--mode", "fill"), prepare=_with_old, check=_filled),
    Case(name="move", argv=_MOVE, prepare=_nothing, check=_moved, stage=_APART),
    Case(name="move away", argv=(*_MOVE, "--alias", "guests", "--delete-source"), prepare=_nothing, check=_moved_away),
    Case(
        name="move away by digest",
        argv=(*_MOVE, "--alias", "guests", "--delete-source"),
        prepare=_nothing,
        check=_moved_away,
        key=_BARE,
        stage=_APART,
    ),
    Case(
        name="prune",
        argv=("prune", EAST, "--yes"),
        prepare=_with_waste,
        check=_pruned,
        stage={"keep": Retention(last=1)},
    ),
    Case(
        name="repair",
        argv=("repair", f"{EAST}/{INDEX}"),
        prepare=_with_damage,
        check=_repaired,
        stage={"replicated": True},
    ),
    Case(
        name="failover",
        argv=("failover", PAIR, "--yes"),
        prepare=_with_copies,
        check=_failed_over,
        stage=_PAIRED,
    ),
    Case(
        name="failover of a warm standby",
        argv=("failover", PAIR, "--yes"),
        prepare=_with_warm_standby,
        check=_failed_over,
        stage=_PAIRED,
    ),
    Case(
        name="planned failover",
        argv=("failover", PAIR, "--planned", "--yes"),
        prepare=_with_copies,
        check=_failed_over_as_planned,
        stage=_PAIRED,
    ),
    Case(
        name="failback",
        argv=("failback", PAIR, "--yes"),
        prepare=_with_failover,
        check=_failed_back,
        stage=_PAIRED,
    ),
    Case(name="replicate", argv=("replicate", EAST, "--to", REPLICA), prepare=_with_snapshot, check=_replicated),
    Case(
        name="reveal",
        argv=("backup", EAST, INDEX, "--hidden-fields", "reveal"),
        prepare=_nothing,
        check=_revealed,
        hides=True,
    ),
    Case(
        name="import",
        argv=("import", "{folder}/dump", "--as", f"{EAST}/imported"),
        prepare=_with_folder,
        check=_imported,
    ),
)
