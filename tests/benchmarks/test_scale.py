"""The page on very large indexes follows from its constants."""

from collections.abc import Callable

import pytest

from benchmarks.measuring import PROJECT
from benchmarks.scale import SIZES, TABLES, Size, duration, limits_of, main, overview_table, segments
from indexvault.backup.key_ranges import MOST_SCANS

PAGE = (PROJECT / "docs/scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", TABLES)
def test_the_page_has_the_tables(table: Callable[[], list[str]]) -> None:
    assert "\n".join(table()) in PAGE


def test_the_page_says_how_many_activities_read_the_ranges() -> None:
    at_one, at_ten = (limits_of(size) for size in SIZES)
    assert f"{MOST_SCANS} activities at most read the ranges, {at_one[1]} each at 1 TB and {at_ten[1]} at 10 TB" in PAGE
    assert max(at_one[2], at_ten[2]) <= MOST_SCANS


def test_a_tree_has_a_level_for_each_thirty_two_times() -> None:
    assert segments(32) == (0, 0)
    assert segments(33) == (2, 1)
    assert segments(32 * 32 * 32) == (1024 + 32, 2)


def test_sizes_and_times_are_what_they_say() -> None:
    small = Size("1 GB", 10**6, 1000)
    assert (small.gigabytes, small.chunks, small.ranges) == (1.0, 125_000, 16)
    assert [duration(seconds) for seconds in (90, 7200, 72_000)] == ["2 min", "2.0 h", "20 h"]


def test_one_index_of_one_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--documents", "50000000", "--bytes", "1000"]) == 0
    told = capsys.readouterr().out
    [row] = [line for line in overview_table() if line.startswith("| 50 million |")]
    assert row.replace("50 million", "50,000,000") in told
    assert "stretches of a restore" in told
    main(["--documents", "50000000", "--page-seconds", "5"])
    assert row.partition("|")[2].split("|")[1] not in capsys.readouterr().out.splitlines()[2]


def test_no_index_is_smaller_than_a_document() -> None:
    with pytest.raises(SystemExit):
        main(["--documents", "0"])


def test_short_times_are_seconds() -> None:
    assert [duration(seconds) for seconds in (0.01, 8, 89)] == ["1 s", "8 s", "89 s"]
