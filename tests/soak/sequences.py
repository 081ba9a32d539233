"""Sequences of commands, writers, faults, kills and clocks that jump, all drawn from one seed.

A sequence is planned as steps, each with a seed of its own, so that a failing one can be repeated without the steps
that it does not need.
"""

import contextlib
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from emulator.faults import Kind, Rule
from indexvault.errors import IndexvaultError
from indexvault.snapshots.names import SnapshotReference, id_time
from indexvault.snapshots.retention import Retention
from tests.soak.invariants import (
    Memory,
    ViolationError,
    claimed,
    decoded,
    read_snapshot,
    require,
    same,
    snapshots_in,
)
from tests.soak.known import avoids, known_as
from tests.soak.process import StoreFaults
from tests.soak.shapes import Shape, random_document, random_key, random_shape
from tests.soak.stage import EAST, EXIT_CODES, LOCAL, REPLICA, WEST, Ended, Stage
from tests.soak.truth import Document, Dump, as_shown, keys_of
from tests.soak.virtual_loop import StuckError, run

_STEPS = {
    "backup": 24,
    "restore": 18,
    "move": 11,
    "again": 22,
    "verify": 4,
    "prune": 8,
    "repair": 5,
    "replicate": 5,
    "pin": 4,
    "unpin": 2,
    "write": 8,
    "clock": 6,
    "heal": 2,
    "snapshots": 2,
    "unlock": 1,
    "drop": 2,
    "discard": 2,
    "prune_beside": 3,
    "change_target": 2,
}
_UNFINISHED = re.compile(r"is unfinished: a restore of (\S+) in mode")
_RUN_BLOB = re.compile(r"search-runs put runs/([^/]+)/")


@dataclass(frozen=True)
class Step:
    """What is done, and the seed that decides how."""

    kind: str
    seed: int


@dataclass
class Result:
    """What a sequence came to. `log` has a line for each step, `outcomes` counts commands by verb and exit code."""

    seed: int
    steps: list[Step]
    log: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    rule: str | None = None
    detail: str = ""


@dataclass
class _Unfinished:
    """A restore or move that was killed or failed: what was asked for, and what it reads from."""

    argv: tuple[str, ...]
    snapshot: str | None
    expects: dict[str, Any]


def planned(seed: int, most: int = 12) -> list[Step]:
    """Return the steps of a sequence."""
    rng = random.Random(seed)
    kinds = rng.choices(list(_STEPS), weights=list(_STEPS.values()), k=rng.randint(5, most))
    return [Step("backup", rng.getrandbits(32)), *(Step(kind, rng.getrandbits(32)) for kind in kinds)]


def play(seed: int, *, enabled: frozenset[int] = frozenset(), only: Sequence[int] | None = None) -> Result:
    """Run one sequence and return what it came to. `only` are the positions of the steps to run; the rest is left out.

    `enabled` are the known defects that need not be avoided.
    """
    steps = planned(seed)
    if only is not None:
        steps = [steps[position] for position in only]
    result = Result(seed, steps)
    sequence = _Sequence(seed, steps, enabled, result)
    try:
        run(sequence.play())
    except ViolationError as violation:
        result.rule, result.detail = violation.rule, str(violation)
    except StuckError as stuck:
        result.rule, result.detail = "a command ends", str(stuck)
    finally:
        sequence.stage.close()
    return result


def shrunk(result: Result, *, enabled: frozenset[int] = frozenset()) -> tuple[list[int], Result]:
    """Return the positions of the steps that a failing sequence needs, and its result with only these."""
    needed = list(range(len(result.steps)))
    smallest = result
    for position in reversed(range(len(result.steps))):
        fewer = [each for each in needed if each != position]
        tried = play(result.seed, enabled=enabled, only=fewer)
        if tried.rule == result.rule:
            needed, smallest = fewer, tried
    return needed, smallest


class _Sequence:
    def __init__(self, seed: int, steps: Sequence[Step], enabled: frozenset[int], result: Result) -> None:
        self.rng = random.Random(f"{seed} world")
        self.seed = seed
        self.steps = steps
        self.enabled = enabled
        self.result = result
        self.unfinished: dict[str, _Unfinished] = {}
        self.first_event: dict[str, int] = {}
        self.shapes: dict[str, Shape] = {}
        self.numbers = 0
        self.began = 0
        self.latest = timedelta()
        self.current_argv: tuple[str, ...] = ()
        self.writes_during = 0.0
        self.step_rng = self.rng
        self.touched: set[tuple[str, str]] = set()
        self.snapshots_seen: set[tuple[str, str]] = set()
        self.protected: set[tuple[str, str]] = set()

    # The world

    async def play(self) -> None:
        """Set the world up, take every step, and see that all comes to a good end once faults and writers rest."""
        rng = self.rng
        keep = rng.choice((None, Retention(last=1), Retention(last=2), Retention(daily=2)))
        self.stage = Stage(
            shared_store=rng.random() < 0.6, replicated=rng.random() < 0.5, keep=keep, seed=rng.getrandbits(32)
        )
        self.stage.truth.deleting.append(self._deleting)
        self.memories = {name: Memory(store) for name, store in self.stage.stores.items()}
        for name in ("hotels", "rooms")[: rng.choice((1, 1, 2))]:
            self._make_index(name)
        for number, step in enumerate(self.steps):
            self.result.log.append(f"{number}: {step.kind}")
            self.step_rng = random.Random(step.seed)
            await getattr(self, f"_{step.kind}")()
        self.result.log.append("settling")
        await self._settle()

    def _make_index(self, name: str) -> None:
        shape = random_shape(self.rng, name, hides=self.rng.random() < 0.15)
        self.shapes[name] = shape
        self.stage.tell(EAST, "POST", "/indexes", shape.definition)
        self.protected.add((EAST, name))
        count = self.rng.choice((0, 1, 7, 20, 30, 59, 61, 90))
        self._upload(self.rng, name, [self._new_key(self.rng) for _ in range(count)])

    def _new_key(self, rng: random.Random) -> str:
        self.numbers += 1
        return random_key(rng, self.numbers)

    def _upload(self, rng: random.Random, name: str, keys: Sequence[str]) -> None:
        documents = [random_document(rng, self.shapes[name], key) for key in keys]
        if documents:
            self.stage.tell(EAST, "POST", f"/indexes/{name}/docs/index", {"value": documents})

    def _change(self, name: str, rng: random.Random, *, many: int, comes_and_goes: bool) -> None:
        """Add, change and delete some documents of a source."""
        keys = keys_of(self.stage.service(EAST), name)
        if keys is None:
            return
        gone = rng.sample(keys, min(len(keys), rng.randint(0, many))) if comes_and_goes else []
        if gone:
            actions = [{"@search.action": "delete", "id": key} for key in gone]
            self.stage.tell(EAST, "POST", f"/indexes/{name}/docs/index", {"value": actions})
        kept = sorted(set(keys) - set(gone))
        changed = rng.sample(kept, min(len(kept), rng.randint(0, many)))
        new = [self._new_key(rng) for _ in range(rng.randint(0, many))] if comes_and_goes and len(keys) < 100 else []
        self._upload(rng, name, [*changed, *new])
        if changed or new or gone:
            self.touched.add((EAST, name))

    def _watch(self, label: str) -> None:
        """Note which runs are at work, and let the writer write."""
        found = _RUN_BLOB.search(label)
        if found:
            # A run's reading begins with its plan, before its first record: what came meanwhile is not claimed.
            self.first_event.setdefault(found[1], self.began)
        if self.writes_during and self.step_rng.random() < self.writes_during:
            name = self.step_rng.choice(sorted(self.shapes))
            is_ordered = self.shapes[name].is_ordered
            if is_ordered or not avoids(102, self.enabled):
                # Where the count stays, what is changed can still move from one part to another.
                comes_and_goes = is_ordered or not avoids(3, self.enabled)
                self._change(name, self.step_rng, many=2, comes_and_goes=comes_and_goes)

    # Running commands

    async def _run(self, *argv: str, disturbed: bool = True, dies: bool = False, **expects: Any) -> Ended:
        """Run a command, mostly among faults, and check all that must hold after it."""
        rng = self.step_rng
        how: dict[str, Any] = {"watch": self._watch}
        note = ""
        for emulated in self.stage.emulated.values():
            emulated.faults([], 0)
        if disturbed:
            if dies or rng.random() < 0.3:
                how["kill_at"] = rng.randint(40, 160) if dies else int(2 ** rng.uniform(0, 8.5))
                how["kill_when"] = rng.choice(("before", "after"))
            if rng.random() < 0.25:
                how["faults"] = StoreFaults(
                    before=rng.choice((0, 0.01, 0.05)),
                    after=rng.choice((0, 0.01, 0.05)),
                    repeated=rng.choice((0, 0.05, 0.2)),
                )
                note += " store faults"
            if rng.random() < 0.4:
                note += self._set_search_faults(rng)
            if rng.random() < 0.35:
                self.writes_during = rng.choice((0.02, 0.1, 0.3))
                note += f" writer {self.writes_during}"
        before = self._before(with_dumps=argv[0] == "restore")
        self.current_argv = argv
        self.began = self.stage.truth.now
        self.touched.clear()
        ended = await self.stage.run(*argv, process=self.stage.process(**how))
        self.writes_during = 0.0
        for emulated in self.stage.emulated.values():
            emulated.faults([], 0)
        outcome = "killed" if ended.code is None else str(ended.code)
        self.result.outcomes[f"{argv[0]} {outcome}{' ' + ended.kind if ended.kind else ''}"] += 1
        self.result.log.append(
            f"   {' '.join(argv)} ->{' killed at ' + ended.killed_at if ended.code is None else ' ' + outcome}"
            f" {ended.error}{' [' + note.strip() + ']' if note else ''}"
        )
        await self._check(ended, before, expects)
        return ended

    def _set_search_faults(self, rng: random.Random) -> str:
        kinds: list[Rule] = []
        for _ in range(rng.randint(1, 3)):
            fault: Kind = rng.choice(
                ("unavailable", "throttled", "reset", "truncated", "item", "short_page", "lagging_visibility",
                 "lagging_count", "replicas", "coverage")
            )  # fmt: skip
            probability = rng.choice((0.02, 0.1, 0.3))
            kinds.append(
                Rule(
                    fault=fault,
                    probability=1.0 if fault in {"replicas", "lagging_visibility"} else probability,
                    after=rng.random() < 0.5 if fault in {"unavailable", "throttled", "reset", "truncated"} else False,
                    retry_after=rng.choice((None, 1.0)) if fault in {"unavailable", "throttled"} else None,
                    status=rng.choice((409, 422, 503)),
                    seconds=rng.choice((0.5, 3.0)),
                    documents=rng.choice((1, 5, 20, 50)),
                    operation="search" if fault in {"short_page", "replicas", "coverage"} else None,
                )
            )
        for emulated in self.stage.emulated.values():
            emulated.faults(kinds, rng.getrandbits(16))
        return " " + ", ".join(f"{rule.fault}{'+' if rule.after else ''} {rule.probability:g}" for rule in kinds)

    def _before(self, *, with_dumps: bool) -> dict[str, Any]:
        return {
            "manifests": {name: set(snapshots_in(store)) for name, store in self.stage.stores.items()},
            "needed": self._needed(),
            "pins": {name: self._pins(name) for name in self.stage.stores},
            "dumps": {
                (service, index): self.stage.dump(service, index)
                for service in (EAST, WEST)
                for index in self.stage.service(service).indexes
                if with_dumps
            },
        }

    def _needed(self) -> dict[str, str]:
        """Return the snapshots that unfinished restores and moves name, by the names of their records."""
        return {
            name: str((decoded(blob.data) or {}).get("snapshot") or "")
            for store in self.stage.stores.values()
            for name, blob in store.runs._blobs.items()
            if name.startswith(("restores/", "moves/"))
        }

    def _pins(self, store: str) -> set[str]:
        names = self.stage.stores[store].runs._blobs
        return {name.rsplit("/", 1)[1].removesuffix(".json") for name in names if name.startswith("pins/")}

    # Checks

    async def _check(self, ended: Ended, before: dict[str, Any], expects: dict[str, Any]) -> None:
        verb = ended.argv[0]
        require(not ended.crashes, "every failure is an IndexvaultError", "\n".join(ended.crashes))
        require(
            ended.code is None or ended.code in EXIT_CODES, "every exit code is a known one", f"{verb}: {ended.code}"
        )
        require(not ended.error.startswith("indexvault: unexpected"), "every failure is known", ended.error)
        for memory in self.memories.values():
            memory.check()
        await self._check_new_snapshots(before)
        self._check_removed(ended, before)
        if ended.code in {0, 3} and not ended.error:
            checker = getattr(self, f"_check_{verb}", None)
            if checker is not None:
                await checker(ended, before, expects)
        if ended.code == 6 and ended.kind in {"", "IntegrityError"} and not self._damaged():
            self._known_or(ViolationError("nothing whole is called damaged", ended.error))

    def _known_or(self, violation: ViolationError) -> None:
        """Raise a violation unless it looks like a known defect, which is counted."""
        item = known_as(violation.rule, str(violation), self.enabled)
        if item is None:
            raise violation
        self.result.outcomes[f"known defect {item}"] += 1

    def _damaged(self) -> set[str]:
        return set().union(*(memory.damaged for memory in self.memories.values()))

    async def _check_new_snapshots(self, before: dict[str, Any]) -> None:
        for name, store in self.stage.stores.items():
            for manifest_name, reference in snapshots_in(store).items():
                if manifest_name in before["manifests"][name] or manifest_name in self.memories[name].damaged:
                    continue
                manifest, documents = await read_snapshot(store, reference)
                id_ = (manifest_name, manifest.run)
                if id_ in self.snapshots_seen:  # a replica of one that was checked
                    continue
                self.snapshots_seen.add(id_)
                since = self.first_event.get(manifest.run)
                require(since is not None, "a run's records come before its snapshot", f"{reference} by {manifest.run}")
                assert since is not None
                require(manifest.counts.documents == len(documents), "a snapshot counts its documents", str(reference))
                ledger = self.stage.truth.ledger(reference.service, reference.index)
                is_whole = manifest.state in {"complete", "lossy"}
                claimed(documents, ledger, since, self.stage.truth.now, what=str(reference), is_whole=is_whole)
                shape = self.shapes.get(reference.index)
                if reference.service == EAST and shape is not None:
                    lossy = bool(shape.hidden) and not all(
                        set(shape.hidden) <= document.keys() for document in documents.values()
                    )
                    require(
                        manifest.state != "complete" or not lossy, "a complete snapshot lacks no field", str(reference)
                    )

    def _check_removed(self, ended: Ended, before: dict[str, Any]) -> None:
        for name, store in self.stage.stores.items():
            now = set(snapshots_in(store))
            gone = before["manifests"][name] - now - self.memories[name].damaged
            if not gone:
                continue
            require(ended.argv[0] == "prune", "only prune removes snapshots", f"{ended.argv}: {sorted(gone)}")
            for manifest_name in gone:
                snapshot = manifest_name.rsplit("/", 1)[1].removesuffix(".json")
                require(
                    not any(snapshot in pins for pins in before["pins"].values()),
                    "a pinned snapshot stays",
                    manifest_name,
                )
                needing = sorted(who for who, what in before["needed"].items() if snapshot in what)
                require(not needing, "a snapshot that is needed stays", f"{manifest_name} is needed by {needing}")
            for prefix in {manifest_name.rsplit("/", 1)[0] for manifest_name in gone}:
                had = [each for each in before["manifests"][name] if each.startswith(prefix)]
                if any(self._is_complete(name, each) for each in had):
                    left = [each for each in now if each.startswith(prefix)]
                    require(
                        any(self._is_complete(name, each) for each in left), "the last complete snapshot stays", prefix
                    )

    def _is_complete(self, store: str, manifest_name: str) -> bool:
        return b'"state":"complete"' in self.memories[store].first[manifest_name].data

    async def _check_restore(self, ended: Ended, before: dict[str, Any], expects: dict[str, Any]) -> None:
        if "--dry-run" in ended.argv:
            return
        report = ended.record("restore")
        if ended.argv[1].endswith("@latest"):
            ahead = id_time(report["snapshot"]) - self.stage.clock()
            require(ahead < timedelta(minutes=1), "latest is not of the future", f"{report['snapshot']}: {ahead}")
        snapshot = await self._snapshot_documents(report["service"], report["index"], report["snapshot"])
        target = (report["target_service"], report["target_index"])
        keys = expects.get("keys") or ()
        wanted = {key: document for key, document in snapshot.items() if not keys or key in keys}
        earlier = before["dumps"].get(target) or {}
        match report["mode"]:
            case "create" | "replace":
                expected = wanted
            case "sync":
                expected = {**earlier, **wanted} if keys else wanted
                if keys:
                    expected = {key: one for key, one in expected.items() if key not in keys or key in wanted}
                expected = {key: self._synchronized(one, earlier.get(key), report) for key, one in expected.items()}
            case _:
                expected = {**wanted, **earlier}
        if target not in self.touched:
            found = self.stage.dump(*target)
            if expects.get("refuses"):
                refuses = expects["refuses"]
                expected = {key: one for key, one in expected.items() if not refuses.search(key)}
                found = {key: one for key, one in (found or {}).items() if not refuses.search(key)}
            same(found, expected, what=f"{' '.join(ended.argv)} ({report['snapshot']})")

    def _synchronized(self, wanted: Document, earlier: Document | None, report: Mapping[str, Any]) -> Document:
        """Return a document as a sync leaves it: one that shows no difference keeps the fields that are hidden."""
        shape = self.shapes.get(report["index"])
        if shape is None or earlier is None:
            return wanted
        shown = {name: value for name, value in wanted.items() if name not in shape.hidden}
        if as_shown(earlier, shown) != shown:
            return wanted
        return {name: earlier.get(name) if name in shape.hidden else value for name, value in wanted.items()}

    async def _snapshot_documents(self, service: str, index: str, snapshot: str) -> Dump:
        reference = SnapshotReference(service=service, index=index, id=snapshot)
        for store in self.stage.stores.values():
            if reference in snapshots_in(store).values():
                with contextlib.suppress(IndexvaultError):  # it was damaged here
                    return (await read_snapshot(store, reference))[1]
        raise ViolationError("a restored snapshot exists", str(reference))

    async def _check_move(self, ended: Ended, _before: dict[str, Any], expects: dict[str, Any]) -> None:
        if "--dry-run" in ended.argv:
            return
        report = ended.record("move")
        found = self.stage.dump(report["target_service"], report["target_index"])
        require(found is not None, "a proved target is there", " ".join(ended.argv))
        assert found is not None
        source = (report["service"], report["index"])
        require(
            report["source_deleted"] == (self.stage.dump(*source) is None)
            or (EAST, report["index"]) not in self.protected,
            "a move says whether the source is deleted",
            str(report),
        )
        if self.stage.dump(*source) is None and self.deleted_at < ended.began:
            return
        if expects.get("refuses"):
            return
        ledger = self.stage.truth.ledger(*source)
        shown = self._as_source_shows(found, report["index"])
        until = self.deleted_at if self.stage.dump(*source) is None else self.stage.truth.now
        claimed(shown, ledger, ended.began, until, what=" ".join(ended.argv))

    deleted_at = -1

    def _as_source_shows(self, documents: Dump, index: str) -> Dump:
        hidden = self.shapes[index].hidden if index in self.shapes else ()
        return {
            key: {name: value for name, value in document.items() if name not in hidden}
            for key, document in documents.items()
        }

    def _deleting(self, service: str, index: str) -> None:
        """Check, right before an index is deleted, that nothing is lost by it."""
        argv = self.current_argv
        if not argv or argv[0] not in {"move", "restore"}:
            if argv:
                raise ViolationError("only a move or a restore deletes an index", f"{argv}: {service}/{index}")
            return
        if argv[0] == "move" and argv[1] == f"{service}/{index}":
            require("--delete-source" in argv, "a source is deleted only if that was asked for", f"{argv}")
            # What is written after the comparison shows in no count: docs/restore.md tells to stop writing before.
            held = self.stage.truth.ledger(service, index).held(self.began, self.stage.truth.now)
            target = self.stage.dump(*_target_of(argv)) or {}
            quiet = {
                key: versions[0] for key, (throughout, versions) in held.items() if throughout and len(versions) == 1
            }
            source = self._as_source_shows(quiet, index)
            lacks = sorted(source.keys() - target.keys())
            require(not lacks, "a deleted source is in its target", f"{argv}: {len(lacks)} are not: {lacks[:3]}")
            for key, document in source.items():
                require(
                    as_shown(target[key], document) == document,
                    "a deleted source is the same in its target",
                    f"{argv}: {key!r} is {target[key]}, and was {document}",
                )
            self.deleted_at = self.stage.truth.now
            return
        require(
            (service, index) not in self.protected, "a source is deleted only by its move", f"{argv}: {service}/{index}"
        )

    async def _check_verify(self, ended: Ended, _before: dict[str, Any], expects: dict[str, Any]) -> None:
        service, index = expects["of"]
        memory = self.memories[self._store_of(service)]
        flaws = [*await memory.flaws(service, index), *memory.vanished(service, index)]
        require(not flaws, "what is verified is whole", f"{ended.argv}: {flaws[:3]}")

    async def _check_repair(self, ended: Ended, _before: dict[str, Any], expects: dict[str, Any]) -> None:
        service, index = expects["of"]
        memory = self.memories[self._store_of(service)]
        flaws = [*await memory.flaws(service, index), *memory.vanished(service, index)]
        require(not flaws, "what is repaired is whole", f"{ended.argv}: {flaws[:3]}")

    async def _check_replicate(self, ended: Ended, _before: dict[str, Any], _expects: dict[str, Any]) -> None:
        source, replica = self.memories[LOCAL], self.memories[REPLICA]
        if source.damaged or self.touched:
            return
        for name in snapshots_in(source.store):
            if not name.startswith(EAST):
                continue
            require(name in snapshots_in(replica.store), "what is replicated is there", f"{ended.argv}: {name}")
            flaws = await replica.flaws_of(name)
            require(not flaws, "what is replicated is whole", f"{ended.argv}: {flaws[:3]}")

    # Steps

    def _store_of(self, service: str) -> str:
        return self.stage.settings.services[service].store

    def _sources(self) -> list[str]:
        return [name for name in sorted(self.shapes) if self.stage.dump(EAST, name) is not None]

    def _references(self) -> list[SnapshotReference]:
        return [snapshots_in(self.stage.stores[LOCAL])[name] for name in sorted(snapshots_in(self.stage.stores[LOCAL]))]

    async def _backup(self) -> None:
        rng = self.step_rng
        name = rng.choice(sorted(self.shapes))
        argv = ["backup", EAST, name]
        if self.shapes[name].hidden and rng.random() < 0.5:
            argv += ["--hidden-fields", "reveal"]
        if rng.random() < 0.3:
            argv += ["--parallel", rng.choice(("1", "2", "8"))]
        await self._run(*argv)

    async def _restore(self) -> None:
        rng = self.step_rng
        references = self._references()
        if not references:
            return
        reference = rng.choice(references)
        there = sorted(self.stage.service(WEST).indexes)
        mode = rng.choice(("create", "create", "replace", "in-place", "sync", "sync", "fill"))
        name = rng.choice(("one", "two", "three"))
        if there and mode in {"in-place", "sync", "fill"} and rng.random() < 0.9:
            name = rng.choice(there)
        target = f"{WEST}/{name}"
        named = f"{EAST}/{reference.index}@latest" if rng.random() < 0.2 else str(reference)
        argv = ["restore", named, "--to", target, "--accept-loss", *_mode_options(rng, mode)]
        if mode == "replace":
            argv[3] = f"{WEST}/guests"
        expects: dict[str, Any] = {}
        if (
            mode in {"sync", "fill", "create"}
            and rng.random() < 0.2
            and named == str(reference)
            and not self.memories[LOCAL].damaged
        ):
            documents = await self._snapshot_documents(reference.service, reference.index, reference.id or "")
            keys = rng.sample(sorted(documents), min(len(documents), 3))
            for key in keys:
                argv += [f"--document={key}"]
            expects["keys"] = keys
        if rng.random() < 0.1:
            expects["refuses"] = re.compile(rng.choice(("3", "^a", "7$")))
            argv += ["--skip-refused"]
        elif mode == "create" and rng.random() < 0.1 and not avoids(8, self.enabled):
            expects["loses"] = re.compile(rng.choice(("3", "^a", "7$")))
        if rng.random() < 0.1:
            argv += ["--dry-run"]
        await self._write_command(tuple(argv), reference.id if named == str(reference) else None, expects)

    async def _write_command(
        self, argv: tuple[str, ...], snapshot: str | None, expects: dict[str, Any], *, dies: bool = False
    ) -> None:
        """Run a restore or a move, and remember it if it has not ended well."""
        west = self.stage.emulated[WEST]
        west.refuses, west.loses = expects.get("refuses"), expects.get("loses")
        west.lost.clear()
        ended = await self._run(*argv, dies=dies, **expects)
        west.refuses = west.loses = None
        key = f"{argv[0]} {argv[1] if argv[0] == 'move' else _target_of(argv)}"
        if "--dry-run" in argv:
            return
        if ended.code in {0, 3} and not ended.error:
            self.unfinished.pop(key, None)
        elif key not in self.unfinished and (ended.code is None or ended.code in {1, 6}) and self._is_marked(argv):
            # Before anything was marked in a store, there is nothing to go on with.
            self.unfinished[key] = _Unfinished(argv, snapshot, expects)

    def _is_marked(self, argv: tuple[str, ...]) -> bool:
        """Return whether a store has the record of an unfinished restore into this target, or move of this source."""
        marked = argv[1] if argv[0] == "move" else "/".join(_target_of(argv))
        name = f"{argv[0]}s/{marked}.json"
        return any(name in store.runs._blobs for store in self.stage.stores.values())

    async def _move(self) -> None:
        rng = self.step_rng
        name = rng.choice(sorted(self.shapes))
        argv = ["move", f"{EAST}/{name}", "--to", f"{WEST}/{rng.choice(('moved', 'one', 'gone'))}", "--accept-loss"]
        expects: dict[str, Any] = {}
        if rng.random() < 0.5:
            argv += ["--delete-source"]
        if rng.random() < 0.3:
            argv += ["--alias", "movers"]
        if rng.random() < 0.2 and not (
            "--delete-source" in argv and not self.shapes[name].is_ordered and avoids(1, self.enabled)
        ):
            expects["refuses"] = re.compile(rng.choice(("3", "^a", "7$")))
            argv += ["--skip-refused"]
        if rng.random() < 0.15:
            argv += ["--forget"]
        if rng.random() < 0.1:
            argv += ["--dry-run"]
        await self._write_command(tuple(argv), None, expects)

    async def _again(self) -> None:
        """Give the command of an unfinished restore or move again."""
        if not self.unfinished:
            await self._backup()
            return
        one = self.unfinished[self.step_rng.choice(sorted(self.unfinished))]
        if self.step_rng.random() < 0.5:
            self.stage.skew += timedelta(minutes=11)
        await self._write_command(one.argv, one.snapshot, one.expects)

    async def _discard(self) -> None:
        restores = sorted(key for key in self.unfinished if key.startswith("restore"))
        if not restores:
            return
        one = self.unfinished.pop(self.step_rng.choice(restores))
        if "--document" not in " ".join(one.argv):
            await self._write_command((*one.argv, "--discard-unfinished"), one.snapshot, one.expects)

    async def _verify(self) -> None:
        rng = self.step_rng
        name = rng.choice(sorted(self.shapes))
        await self._run("verify", f"{EAST}/{name}", of=(EAST, name))

    async def _prune(self) -> None:
        if any(self._needed().values()) and avoids(4, self.enabled):
            return
        where = self.step_rng.choice((EAST, *(f"{EAST}/{name}" for name in sorted(self.shapes))))
        if self.step_rng.random() < 0.3:
            self.stage.skew += timedelta(days=2)
        await self._run("prune", where, "--yes")

    async def _prune_beside(self) -> None:
        """Prune while a restore of an old snapshot is unfinished."""
        if avoids(4, self.enabled):
            return
        await self._write()
        for name in self._sources():
            await self._run("backup", EAST, name, disturbed=False)
        references = self._references()
        if not references:
            return
        oldest = references[0]
        argv = ("restore", str(oldest), "--to", f"{WEST}/beside", "--accept-loss", "--mode", "create")
        await self._write_command(argv, oldest.id, {}, dies=True)
        self.stage.skew += timedelta(days=2)
        await self._prune()

    async def _change_target(self) -> None:
        """Take documents from the target of an unfinished move."""
        if avoids(2, self.enabled):
            return
        moves = sorted(key for key in self.unfinished if key.startswith("move"))
        if not moves:
            return
        service, index = _target_of(self.unfinished[self.step_rng.choice(moves)].argv)
        keys = keys_of(self.stage.service(service), index)
        if keys:
            self.current_argv = ()
            gone = self.step_rng.sample(keys, self.step_rng.randint(1, len(keys)))
            actions = [{"@search.action": "delete", "id": key} for key in gone]
            self.stage.tell(service, "POST", f"/indexes/{index}/docs/index", {"value": actions})

    async def _repair(self) -> None:
        """Damage or remove a blob, and repair."""
        rng = self.step_rng
        name = rng.choice(sorted(self.shapes))
        memory = self.memories[LOCAL]
        blobs = memory.store.snapshots._blobs
        prefix = f"{EAST}/{name}/"
        candidates = sorted(blob for blob in blobs if blob.startswith(prefix) and "$" not in blob)
        manifests = {blob for blob in candidates if blob in snapshots_in(memory.store)}
        if avoids(10, self.enabled):
            candidates = [blob for blob in candidates if blob not in manifests]
        if candidates and rng.random() < 0.8:
            victim = rng.choice(candidates)
            blob = blobs[victim]
            memory.check()
            memory.damaged.add(victim)
            if rng.random() < 0.5:
                del blobs[victim]
            else:
                at = rng.randrange(len(blob.data))
                data = blob.data[:at] + bytes([blob.data[at] ^ 1]) + blob.data[at + 1 :]
                blobs[victim] = type(blob)(data, blob.metadata, blob.modified, blob.etag)
            self.result.log.append(f"   damaged {victim}, {'changed' if victim in blobs else 'removed'}")
            if rng.random() < 0.3:
                await self._run("verify", f"{EAST}/{name}", of=(EAST, name))
        await self._run("repair", f"{EAST}/{name}", of=(EAST, name))
        # What could not be repaired is put back by hand, so that later steps show what they do to whole snapshots.
        for victim in memory.damaged:
            blobs[victim] = memory.first[victim]
        memory.check()

    async def _replicate(self) -> None:
        await self._run("replicate", EAST, "--to", REPLICA)

    async def _pin(self) -> None:
        references = self._references()
        if references:
            await self._run("pin", str(self.step_rng.choice(references)))

    async def _unpin(self) -> None:
        references = self._references()
        if references:
            await self._run("unpin", str(self.step_rng.choice(references)))

    async def _heal(self) -> None:
        await self._run("heal")

    async def _snapshots(self) -> None:
        await self._run("snapshots")

    async def _unlock(self) -> None:
        await self._run("unlock", f"{EAST}/{self.step_rng.choice(sorted(self.shapes))}")

    async def _write(self) -> None:
        self.current_argv = ()
        for name in self._sources():
            self._change(name, self.step_rng, many=self.step_rng.choice((1, 10, 60)), comes_and_goes=True)

    async def _clock(self) -> None:
        jump = self.step_rng.choice((-3600 * 24 * 30, -3600, -30, 40, 700, 3600 * 25, 3600 * 24 * 8))
        if jump < 0 and avoids(7, self.enabled):
            jump = -5
        self.result.log.append(f"   clock {jump:+} s")
        self.latest = max(self.latest, self.stage.skew)
        self.stage.skew += timedelta(seconds=jump)

    async def _drop(self) -> None:
        """Somebody deletes a target, or makes a moved source anew."""
        self.current_argv = ()
        rng = self.step_rng
        missing = [name for name in sorted(self.shapes) if self.stage.dump(EAST, name) is None]
        if missing and rng.random() < 0.6:
            name = missing[0]
            self.stage.tell(EAST, "POST", "/indexes", self.shapes[name].definition)
            self._upload(rng, name, [self._new_key(rng) for _ in range(20)])
            return
        west = self.stage.service(WEST)
        aliased = {name for stored in west.resources["aliases"].values() for name in stored.body["indexes"]}
        free = sorted(west.indexes.keys() - aliased)
        if self.unfinished and avoids(2, self.enabled):
            free = []
        if free:
            gone = rng.choice(free)
            self.stage.tell(WEST, "DELETE", f"/indexes/{gone}")
            for one in self.unfinished.values():
                # A restore whose index somebody deletes does not make it anew: it says so.
                if _target_of(one.argv) == (WEST, gone):
                    one.expects.pop("loses", None)

    # The end

    async def _settle(self) -> None:
        """Without faults and writers, after every lock has expired: what is unfinished ends, and backups are exact."""
        self.step_rng = random.Random(f"{self.seed} end")
        # Locks count until the latest time that any process saw.
        self.stage.skew = max(self.latest, self.stage.skew) + timedelta(days=2)
        for one in list(self.unfinished.values()):
            ended = await self._run(*one.argv, disturbed=False, **one.expects)
            meant = _UNFINISHED.search(ended.error)
            if ended.code == 5 and meant is not None and one.argv[1].endswith("@latest"):
                # A newer snapshot is the latest now: the unfinished restore resumes by the id that the refusal names.
                ended = await self._run(one.argv[0], meant[1], *one.argv[2:], disturbed=False, **one.expects)
            if "loses" in one.expects:
                require(ended.code == 0, "what a target lost is written again", ended.error)
            self.result.outcomes[f"settling {one.argv[0]} {ended.code} {ended.kind}"] += 1
            self.stage.skew += timedelta(hours=1)
        ended = await self._run("heal", disturbed=False)
        require(ended.code == 0, "heal ends well in the end", ended.error)
        for name in self._sources():
            ended = await self._run("backup", EAST, name, disturbed=False)
            hidden = bool(self.shapes[name].hidden)
            if ended.kind == "UnreadableIndexError" and not self.shapes[name].is_ordered:
                continue
            if ended.code == 3 and ended.record("backup").get("unsettled") and not self.shapes[name].is_ordered:
                continue
            require(ended.code == (3 if hidden else 0), "a quiet index is backed up", f"{ended.code}: {ended.error}")
            snapshot = ended.record("backup")["snapshot"]
            documents = await self._snapshot_documents(EAST, name, snapshot)
            same(self.stage.dump(EAST, name), documents, what=f"the last backup of {name}")
        for name in sorted(self.shapes):
            if self.memories[LOCAL].damaged:
                continue
            ended = await self._run("verify", f"{EAST}/{name}", disturbed=False, of=(EAST, name))
            require(ended.code in {0, 4}, "the snapshots are whole in the end", f"{ended.code}: {ended.error}")


def _mode_options(rng: random.Random, mode: str) -> list[str]:
    if mode == "in-place":
        return ["--mode", "replace", "--replace-in-place"]
    options = ["--mode", mode]
    if mode == "replace" and rng.random() < 0.4:
        options += ["--delete-old"]
    elif mode == "create" and rng.random() < 0.3:
        options += ["--alias", "guests"]
    return options


def _target_of(argv: Sequence[str]) -> tuple[str, str]:
    service, _, index = argv[argv.index("--to") + 1].partition("/")
    return service, index or argv[1].partition("@")[0].partition("/")[2]
