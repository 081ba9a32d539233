"""How large the pieces of a backup may be."""

import msgspec

from indexvault.bounds import DOCUMENT_LIMIT
from indexvault.search.query import MOST_SKIPPED
from indexvault.snapshots.packs import PACK_TARGET

_MEBIBYTE = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a backup. They are passed in, so that a test lowers them in one place and a small index meets them.

    - `most_skipped`: the largest `$skip`, in documents. Source: service limits, 2026-09.
    - `largest_partition`: documents in a partition at most, so that `$skip` reaches all of them.
    - `comfortable_partition`: documents that a partition should have at most. Deep `$skip`s are slow for the service
      and for its users.
    - `paged_readings`, `paged_requests`, `paged_seconds`: how often, with how many requests and for how long a
      partition that no field divides is read until its count holds still and every document of it has been seen.
    - `settling_rounds`, `settling_seconds`: how often, and for how long, all partitions are checked for documents that
      moved from one to another, until the index is accounted for.
    - `smallest_range`: documents below which another key range costs more requests than it saves time.
    - `largest_range_documents`, `largest_range_bytes`: documents, and their bytes, that a key range should have at
      most. The chunks of a range are held in memory and stand in one record.
    - `checkpoint_bytes`: bytes of documents that are as in the last snapshot and that an interrupted run reads again at
      most. Ranges with changes have a record each, which is as durable as the packs that they filled.
    - `pack_bytes`: stored bytes of chunks at which a pack is full.
    - `smallest_pack`: stored bytes that a range's last pack has at least. A smaller one is left over, and joined with
      those of other ranges: then it is sent twice and read once, which costs more than a pack of this size.
    - `sorted_run_bytes`: bytes of documents that are sorted in memory at once.
    - `segment_bytes`: bytes of documents in one segment of a sorted run, unless a single document is larger.
    - `merged_at_once`: sorted runs that are merged at once. One segment of each is in memory.
    - `merged_page`: merged documents that are handed on together, unless they are as large as a sorted run before.
    - `most_changes`, `most_changed_share`: documents, and which share of all, that a run reads by changes at most.
      Above that, it reads the whole index, which costs little more. The keys of changes are held in memory. As many as
      `few_changes` are no reason for that, however small the index.
    - `longest_line`: bytes of a line in an imported file. See `bounds.DOCUMENT_LIMIT`.
    """

    most_skipped: int = MOST_SKIPPED
    largest_partition: int = MOST_SKIPPED
    comfortable_partition: int = 25_000
    paged_readings: int = 60
    paged_requests: int = 4_000
    paged_seconds: int = 300
    settling_rounds: int = 12
    settling_seconds: int = 900
    smallest_range: int = 5_000
    largest_range_documents: int = 1_000_000
    largest_range_bytes: int = 128 * _MEBIBYTE
    checkpoint_bytes: int = 4096 * _MEBIBYTE
    pack_bytes: int = PACK_TARGET
    smallest_pack: int = _MEBIBYTE
    sorted_run_bytes: int = 8 * _MEBIBYTE
    segment_bytes: int = _MEBIBYTE
    merged_at_once: int = 32
    merged_page: int = 500
    most_changes: int = 500_000
    most_changed_share: float = 0.25
    few_changes: int = 1000
    longest_line: int = DOCUMENT_LIMIT


LIMITS = Limits()
"""The limits that apply unless others are passed in."""
