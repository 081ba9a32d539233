import pytest

from indexvault.backup.accounting import Agreement, RisingChunks, explains
from indexvault.errors import AccountingError
from indexvault.snapshots.chunks import Chunk


def chunk(first: str, last: str, documents: int = 1) -> Chunk:
    return Chunk(sha256="0" * 64, first=first, last=last, documents=documents, bytes=1, stored=1)


def test_overlapping_chunks_are_not_accounted_for() -> None:
    rising = RisingChunks()
    rising.note([chunk("a", "b", 2), chunk("c", "c")])
    rising.note([chunk("d", "e")])
    rising.require(on="x")
    for following in (chunk("e", "f"), chunk("b", "z"), chunk("a", "b")):
        overlapping = RisingChunks()
        overlapping.note([chunk("a", "b", 2), chunk("d", "e")])
        overlapping.note([following])
        overlapping.note([chunk("zz", "zz")])
        with pytest.raises(AccountingError):
            overlapping.require(on="x")


@pytest.mark.parametrize(
    ("documents", "before", "after", "expected"),
    [(5, 5, 5, True), (4, 5, 5, False), (6, 5, 5, False), (6, 5, 8, True), (6, 8, 5, True), (9, 5, 8, False)],
)
def test_a_count_explains_what_was_read(documents: int, before: int, after: int, *, expected: bool) -> None:
    assert explains(documents, before, after) is expected


def test_a_count_that_differs_for_good_never_agrees_and_one_that_lags_does() -> None:
    quiet = Agreement()
    assert not any(quiet.note(counted=50, found=49) for _ in range(20))
    growing = Agreement()
    assert not growing.note(counted=100, found=120)
    assert not growing.note(counted=110, found=130)
    assert growing.note(counted=120, found=140)
    assert Agreement().note(counted=7, found=7)
