"""When reading an index without key order ends, decided from what each round saw."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from indexvault.backup.key_marks import mark_of, pack, unpack
from indexvault.backup.partition import Between, Equals, Partition
from indexvault.backup.pieces import Piece
from indexvault.backup.round import read_round
from indexvault.backup.settle import settled
from indexvault.backup.state import CollectedPartition, Plan, Settling
from indexvault.snapshots.manifest import Definition, VersionedDefinition

NOW = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
FIELD = Partition(conditions=(Between("part", low="1"),))
KEY = Partition(conditions=(Between("id", low="'a'"),))


def plan(partitions: int, *, exact: bool = True) -> Plan:
    return Plan(
        id="p",
        started=NOW,
        definition=Definition(VersionedDefinition("2026-04-01", msgspec.Raw(b"{}"))),
        etag="e",
        etag_reading="e",
        synonym_maps=[],
        losses=[],
        key_field="id",
        counted=4,
        found=4,
        elevated=False,
        average_document_bytes=10.0,
        boundary_bits=1,
        previous=None,
        method="ranges of part",
        reason="",
        partitions=[FIELD] * partitions,
        exact=exact,
    )


def collected(present: str, *, known: str = "", pieces: list[Piece] | None = None, **marks: str) -> CollectedPartition:
    """Return what a round saw; each character stands for a key. `known` adds to those present."""
    members: dict[str, Any] = {name: pack(map(mark_of, keys)) for name, keys in marks.items()}
    return CollectedPartition(
        round=1,
        sets=[],
        pieces=[Piece(FIELD, 2), Piece(FIELD, 2)] if pieces is None else pieces,
        known=pack(map(mark_of, {*present, *known})),
        present=pack(map(mark_of, present)),
        bytes=0,
        requests=0,
        **members,
    )


class Rounds:
    """Decides after each round of an index."""

    def __init__(self, partitions: int = 1, *, exact: bool = True) -> None:
        self.plan = plan(partitions, exact=exact)
        self.state = Settling(round=-1, started=NOW, totals=[4])

    def then(self, *partitions: CollectedPartition, total: int, is_last: bool = False) -> Settling:
        async def read(position: int) -> CollectedPartition:
            return partitions[position]

        seen = asyncio.run(read_round(read, len(partitions)))
        self.state = settled(self.plan, seen, self.state, total, is_last=is_last)
        return self.state


def test_a_quiet_index_is_settled_by_one_check() -> None:
    rounds = Rounds()
    assert not rounds.then(collected("abcd"), total=4).ended
    ended = rounds.then(collected("abcd"), total=4)
    assert (ended.ended, ended.open) == (True, [])


def test_fewer_known_keys_than_were_counted_is_not_settled_by_others_that_moved() -> None:
    rounds = Rounds(2)
    assert not rounds.then(collected("abc"), collected(""), total=4).ended
    moved = collected("ab", known="c", gone="c"), collected("c", new="c")
    assert not rounds.then(*moved, total=4).ended
    last = rounds.then(collected("ab", known="c"), collected("c"), total=4, is_last=True)
    assert (last.ended, sum(part.documents for part in last.open)) == (True, 1)


@pytest.mark.parametrize("pieces", [[Piece(FIELD, 4)], [Piece(KEY, 2), Piece(KEY, 2)]])
def test_one_answer_or_intervals_of_the_key_need_no_check(pieces: list[Piece]) -> None:
    ended = Rounds().then(collected("abcd", pieces=pieces), total=4)
    assert (ended.ended, ended.open) == (True, [])


def test_intervals_of_the_key_that_disagree_with_the_count_are_checked() -> None:
    assert not Rounds().then(collected("abc", pieces=[Piece(KEY, 2), Piece(KEY, 1)]), total=4).ended


def test_an_unknown_key_asks_for_another_round() -> None:
    rounds = Rounds()
    rounds.then(collected("abc"), total=4)
    assert not rounds.then(collected("abcd", new="d"), total=4).ended
    assert rounds.then(collected("abcd"), total=4).ended


def test_additions_settle_once_nothing_was_seen_to_escape() -> None:
    rounds = Rounds()
    rounds.then(collected("abcd"), total=4)
    assert not rounds.then(collected("abcde", new="e"), total=5).ended
    ended = rounds.then(collected("abcdef", new="f"), total=6)
    assert (ended.ended, ended.open) == (True, [])


def test_a_document_that_escaped_a_round_asks_for_more() -> None:
    rounds = Rounds()
    rounds.then(collected("abcd"), total=4)
    rounds.then(collected("abce", known="d", new="e", gone="d"), total=5)
    third = rounds.then(collected("abcdef", new="f", returned="d"), total=6)
    assert (third.escaped, third.escaped_twice, third.ended) == (1, 0, False)
    rounds.then(collected("abcdefg", new="g"), total=7)
    fifth = rounds.then(collected("abcdefgh", new="h"), total=8)
    assert (fifth.round, fifth.ended, fifth.open) == (4, True, [])


def test_documents_that_escape_two_rounds_leave_the_unknown_ones_open() -> None:
    rounds = Rounds()
    rounds.then(collected("abcd"), total=4)
    rounds.then(collected("abe", known="cd", new="e", gone="cd"), total=5)
    assert not rounds.then(collected("abcef", known="d", new="f", returned="c"), total=6).ended
    third = rounds.then(collected("abcdefg", new="g", returned="d"), total=7)
    assert (third.escaped, third.escaped_twice) == (2, 1)
    assert not rounds.then(collected("abcdefgh", new="h"), total=8).ended
    ended = rounds.then(collected("abcdefghi", new="i"), total=9, is_last=True)
    assert ended.ended
    assert [(part.part, part.documents) for part in ended.open] == [("documents that moved while they were read", 1)]


def test_a_key_known_to_another_partition_is_not_unknown() -> None:
    rounds = Rounds(2)
    rounds.then(collected("ab"), collected("cd"), total=4)
    moved = rounds.then(collected("abd", new="d"), collected("c", known="d", gone="d"), total=4)
    assert (moved.unknown, moved.ended) == (0, True)


def test_keys_that_the_count_of_everything_does_not_explain_are_open() -> None:
    rounds = Rounds()
    rounds.then(collected("abc"), total=4)
    assert not rounds.then(collected("abc"), total=4).ended
    ended = rounds.then(collected("abc"), total=4, is_last=True)
    assert [(part.part, part.documents) for part in ended.open] == [("all parts together", 1)]


def test_ways_that_may_leave_something_out_must_agree_exactly() -> None:
    rounds = Rounds(2, exact=False)
    rounds.then(collected("ab"), collected("bcd"), total=4)
    assert rounds.then(collected("ab"), collected("bcd"), total=4).ended
    rounds = Rounds(2, exact=False)
    rounds.then(collected("ab"), collected("bc"), total=4)
    ended = rounds.then(collected("ab"), collected("bc"), total=4)
    assert ended.ended
    assert [(part.part, part.documents) for part in ended.open] == [("what no part reaches", 1)]


def test_a_part_that_does_not_settle_is_open_by_its_fields_without_values() -> None:
    rounds = Rounds()
    piece = Piece(Partition(conditions=(Equals("owner", "'secret'"),)), 3, paged=True, open=7)
    rounds.then(collected("abcd", pieces=[piece, piece]), total=4)
    rounds.then(collected("abcd", pieces=[piece, piece]), total=4)
    ended = rounds.then(collected("abcd", pieces=[piece, piece]), total=4)
    assert [(part.part, part.documents) for part in ended.open] == [("by owner", 14)]


def test_documents_seen_but_not_read_are_open() -> None:
    rounds = Rounds()
    rounds.then(collected("abcd"), total=4)
    unread = msgspec.structs.replace(collected("abcd"), unread=2)
    assert rounds.then(unread, total=4, is_last=True).open[0].documents == 2


def test_marks_are_kept_sorted_in_eight_bytes_each() -> None:
    marks = {mark_of(f"{number}") for number in range(1000)}
    assert len(marks) == 1000
    assert list(unpack(pack(marks))) == sorted(marks)
    assert len(pack(marks)) == 8000
