"""What passes between steps stays well under 4 MB, whatever the shape of an index."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupJob, BackupReport, MergeInput, SettleInput
from indexvault.errors import SettingsError
from indexvault.model import IndexName
from indexvault.move.verify import _within_payload
from indexvault.restore.checks import Check
from indexvault.restore.job import (
    MOST_DOUBTFUL,
    Claimed,
    ClaimedStretch,
    PacksProved,
    RestoreJob,
    RestoreRun,
    StartedRestore,
    StoredStretch,
    TargetReady,
)
from indexvault.restore.load import RefusedInput, load_part
from indexvault.restore.preflight import _bounded
from indexvault.restore.report import Difference, ProofInput, StretchCompared, with_first_differences
from indexvault.restore.selection import MOST_KEY_BYTES, Selection
from indexvault.restore.service.job import PlannedIndex, PlannedObject, ServicePlan, StartedServiceRestore
from indexvault.restore.stored_packs import MOST_SHARES
from indexvault.restore.stretches import MOST_STRETCHES, stretches
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.tree import Node, Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.fan_out import OpenItems
from indexvault.workflow.payload_size import MOST_BYTES, MOST_LIST_BYTES, SHOW, listed
from indexvault.workflow.runs import Item
from tests.memory_store import MemoryStore

NOW = datetime(2026, 11, 16, tzinfo=UTC)
NAME, KEY, DIGEST = "n" * 128, "k" * 1024, "d" * 64
PATHS = ["/".join([f"{number:04}" + "f" * 124] * 9) for number in range(3000)]
"""As many fields as an index can have, as deep and with as long names as it can."""

RUN = RestoreRun(
    execution="x" * 100,
    records="x" * 100,
    target=IndexName(NAME, NAME),
    mark=IndexName(NAME, NAME),
    also=(IndexName(NAME, NAME),) * 3,
    owner="o" * 200,
    parallel=32,
    plan=DIGEST,
    skip_refused=False,
    source=DIGEST,
    made=DIGEST,
)
LOSSES = listed([f"{path}: not retrievable" for path in PATHS], SHOW)


def job(**changes: Any) -> RestoreJob:
    members: dict[str, Any] = {
        "service": NAME, "index": NAME, "snapshot": "s", "target_service": NAME, "target_index": NAME, "run": "r",
        "patch": "p" * 256 * 1024, "keys": ("k" * 256,) * 1024,
    }  # fmt: skip
    return RestoreJob(**(members | changes))


def cut(documents: int, size: int) -> list[tuple[int, int]]:
    """Return the stretches of a snapshot of so many documents and bytes."""
    nodes = 100_000
    node = Node(
        sha256=DIGEST, last=KEY, chunks=32, documents=documents // nodes, bytes=size // nodes, chunks_stored=1,
        pack=DIGEST, stored=100,
    )  # fmt: skip
    reader = TreeReader(MemoryStore().snapshots, PackFolder(service="s", index="i"))
    return asyncio.run(stretches(reader, Tree(level=1, nodes=(node,) * nodes)))


LARGEST = cut(24_000_000_000, 24 * 10**12)
"""The largest index that any tier holds, and more documents than it can."""


def started() -> StartedRestore:
    checks = [_bounded(Check("patch", "warning", "; ".join(f"{path} is dropped" for path in PATHS)))]
    return StartedRestore(
        run=RUN, mode="create", store=NAME, source=job(), resumes=None, documents=1, bytes=1, requests=1, seconds=1,
        losses=LOSSES, stretches=LARGEST, checks=checks * 4, started=NOW,
    )  # fmt: skip


def claimed() -> Claimed:
    digested = [ClaimedStretch(start, end, DIGEST) for start, end in LARGEST]
    packs = [DIGEST] * MOST_SHARES
    return Claimed(source=DIGEST, stretches=digested, packs=packs, stored=1, losses=LOSSES, notes=["n" * 1000])


def stored_stretch() -> StoredStretch:
    """Return a stretch of which the chunks in so many packs are proved as are named."""
    return StoredStretch(
        store=NAME, service=NAME, index=NAME, snapshot="s", start=10**9, end=10**9, keys=job().keys, filter="f" * 4096,
        run=RUN, digest=DIGEST, packs=(DIGEST,) * MOST_DOUBTFUL,
    )  # fmt: skip


def packs_proved() -> PacksProved:
    doubtful = [DIGEST] * (MOST_DOUBTFUL + 1)
    return PacksProved(gone=doubtful, damaged=doubtful)


def proof_input() -> ProofInput:
    part = StretchCompared(
        identical=10**9, equal=10**9, different=10**9, missing=10**9, extra=10**9,
        differences=[Difference(KEY, "different")] * 100,
    )  # fmt: skip
    return ProofInput(RUN, with_first_differences([part] * len(LARGEST)), 10**9, 10**9)


def service_plan() -> StartedServiceRestore:
    kinds = ("datasources", "indexers", "skillsets", "knowledgesources", "knowledgebases", "aliases")
    objects = [PlannedObject(kind, NAME, NAME) for kind in kinds for _ in range(200)]
    indexes = [PlannedIndex(NAME, "20261120T023000Z-7f3a9c", NAME, []) for _ in range(200)]
    plan = ServicePlan(indexes=indexes, objects=objects, withheld=["w" * 300] * 200, started=NOW)
    return StartedServiceRestore(plan=plan, made={f"{number:04}" + NAME[4:]: 10**9 for number in range(200)})


def backup_job() -> BackupJob:
    return BackupJob(service=NAME, index=NAME, run="r" * 100)


def open_items() -> OpenItems:
    """Return the run of a service with a thousand indexes, with names longer than people give."""
    index = IndexName("s" * 60, "i" * 64)
    job = BackupJob(service=index.service, index=index.index, run="r" * 60)
    return OpenItems([Item(index=index, run=job.run, job=msgspec.to_builtins(job))] * 1000)


def backup_report() -> BackupReport:
    return BackupReport(
        service=NAME, index=NAME, snapshot="s", state="lossy", losses=LOSSES, documents=1, chunks=1, bytes=1,
        stored_bytes=1, added_chunks=1, added_bytes=1, started=NOW, finished=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(started, id="StartedRestore"),
        pytest.param(claimed, id="Claimed"),
        pytest.param(stored_stretch, id="StoredStretch"),
        pytest.param(packs_proved, id="PacksProved"),
        pytest.param(proof_input, id="ProofInput"),
        pytest.param(lambda: RefusedInput(RUN, [load_part(start, end) for start, end in LARGEST]), id="RefusedInput"),
        pytest.param(
            lambda: TargetReady(written_index=NAME, digest=DIGEST, synonym_maps=[NAME] * 20, notes=LOSSES),
            id="TargetReady",
        ),
        pytest.param(service_plan, id="StartedServiceRestore"),
        pytest.param(open_items, id="OpenItems"),
        pytest.param(lambda: SettleInput(backup_job(), 10, before=DIGEST, read=[DIGEST] * 1000), id="SettleInput"),
        pytest.param(lambda: MergeInput(backup_job(), [DIGEST] * 1000), id="MergeInput"),
        pytest.param(backup_report, id="BackupReport"),
    ],
)
def test_the_largest_payload_of_each_kind_is_within_the_bound(payload: Any) -> None:
    assert len(msgspec.json.encode(payload())) <= MOST_BYTES


def test_the_largest_index_is_cut_into_few_stretches_that_cover_it() -> None:
    for documents, size in ((24_000_000_000, 10**12), (10**9, 24 * 10**12), (2_000_000, 10**9)):
        found = cut(documents, size)
        assert len(found) <= MOST_STRETCHES
        assert [found[0][0], found[-1][1]] == [0, 3_200_000]
        assert all(one[1] == other[0] for one, other in pairwise(found))


def test_more_keys_than_a_payload_holds_are_refused() -> None:
    Selection(("k" * 256,) * (MOST_KEY_BYTES // 256))
    with pytest.raises(SettingsError, match="bytes"):
        Selection([f"{number:04}" + KEY[4:] for number in range(300)])


def test_long_keys_divide_a_comparison_less_often() -> None:
    ends = [f"{number:04}" + KEY[4:] for number in range(2000)]
    kept = _within_payload(ends)
    assert 100 < len(kept) <= 256
    assert kept == sorted(set(kept) & set(ends))
    assert _within_payload(["a", "b"]) == ["a", "b"]


def test_a_long_list_says_how_much_it_leaves_out() -> None:
    assert sum(map(len, LOSSES)) <= MOST_LIST_BYTES + 100
    assert LOSSES[-1] == f"and {3000 - len(LOSSES) + 1} more: {SHOW}"
    assert listed(["a", "b"], SHOW) == ["a", "b"]
