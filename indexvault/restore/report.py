"""The results of a restore: how its target compares, what was cut over, and the report at the end."""

from datetime import datetime

import msgspec

from indexvault.model import Mode
from indexvault.restore.checks import Findings
from indexvault.restore.job import RestoreRun
from indexvault.restore.not_compared import NotCompared
from indexvault.snapshots.manifest import Presumption


class Difference(msgspec.Struct, frozen=True):
    """A document that differs from the snapshot: `different`, `missing` or `extra` in the target."""

    key: str
    kind: str


class StretchCompared(msgspec.Struct, frozen=True):
    """The comparison of one stretch, with the first differences in key order.

    `identical` documents have the same bytes, `equal` ones the same values in other bytes. `refused` documents were
    skipped when loading and don't count as missing. `unproved` ones can't be compared: their chunks are gone. Those
    that the restore's keys or filter leave out are `passed_over`.
    """

    identical: int
    equal: int
    different: int
    missing: int
    extra: int
    differences: list[Difference]
    refused: int = 0
    untouched: int = 0
    unproved: int = 0
    passed_over: int = 0


MOST_NAMED = 100
"""Differences that a comparison names; further ones are only counted."""


def with_first_differences(parts: list[StretchCompared]) -> list[StretchCompared]:
    """Return the parts of a comparison with the first MOST_NAMED differences of all: no more are reported."""
    room, kept = MOST_NAMED, []
    for part in parts:
        kept.append(msgspec.structs.replace(part, differences=part.differences[:room]))
        room = max(0, room - len(part.differences))
    return kept


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of the whole target: the report that a restore leaves in the runs container.

    `unproved` documents can't be compared, since the chunks of the snapshot that hold them are gone. `uncounted`
    documents of the snapshot are in no part of the comparison, and `uncompared` fields of it are not compared although
    nothing that was asked for drops them: with either, nothing is proved. `not_compared` is what was left out for a
    reason.
    """

    snapshot: str
    target: str
    mode: str
    compared: int
    identical: int
    equal: int
    different: int
    missing: int
    extra: int
    refused: int
    differences: list[Difference]
    proved: bool
    unproved: int = 0
    uncounted: int = 0
    uncompared: list[str] = []
    not_compared: NotCompared = NotCompared()


class ProofInput(msgspec.Struct, frozen=True):
    """The parts of a comparison, to add up.

    `stored` is how many documents the chunks have that are compared, `refused` how many documents were refused while
    they were loaded.
    """

    run: RestoreRun
    parts: list[StretchCompared]
    stored: int
    refused: int


class ProofReport(msgspec.Struct, frozen=True):
    """The whole comparison, and the blob it was written to."""

    proof: Proof
    blob: str


class CutOver(msgspec.Struct, frozen=True):
    """What became of the alias and of the index that was behind it."""

    alias: str | None
    old_index: str | None
    old_deleted: bool
    notes: list[str]


class RestoreFinished(msgspec.Struct, frozen=True):
    """When the work ended."""

    finished: datetime


class PreflightReport(Findings, frozen=True, kw_only=True):
    """What a restore would do, and whether it could."""

    service: str
    index: str
    snapshot: str
    target_service: str
    target_index: str
    mode: Mode


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """A restore that was proved. `target_index` is the index that was written, behind `alias` if there is one.

    `documents` counts what the restore compared, `uploaded` and `deleted` what it wrote; `bytes` are those of the
    documents as sent. Mode fill leaves `different` and `extra` documents alone. `not_compared` is what the proof says
    nothing about. `presumption` is there if the snapshot is presumed.

    A sync may have `followed` a snapshot (an id): it has written what differs from that and compared nothing. Then
    `documents` are those of the snapshot, and `proved_at` is when the target was last compared in full.
    """

    service: str
    index: str
    snapshot: str
    target_service: str
    target_index: str
    mode: Mode
    documents: int
    bytes: int
    uploaded: int
    deleted: int
    identical: int
    equal: int
    different: int
    extra: int
    refused: int
    requests: int
    untouched_chunks: int
    alias: str | None
    old_index: str | None
    old_deleted: bool
    resumed: str | None
    proof: str
    synonym_maps: list[str]
    losses: list[str]
    notes: list[str]
    started: datetime
    finished: datetime
    not_compared: NotCompared = NotCompared()
    presumption: Presumption | None = None
    followed: str | None = None
    proved_at: datetime | None = None
