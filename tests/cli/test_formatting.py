from datetime import UTC, datetime, timedelta

import pytest

from indexvault.cli.formatting import age, count, duration, instant, one_line, size

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_numbers_carry_their_noun() -> None:
    assert [count(1, "document"), count(20_000, "document"), count(2, "index"), count(0, "chunk")] == [
        "1 document",
        "20,000 documents",
        "2 indexes",
        "0 chunks",
    ]
    assert size(31_200_000) == "31.2 MB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (4.12, "4.1 s"), (61, "1 min 1 s"), (7500, "2 h 5 min"), (90_000, "1 d"), (-1, "0.0 s")],
)
def test_length_of_time(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("passed", "text"), [(59, "now"), (60, "1 min"), (7199, "1 h"), (3 * 86400, "3 d")])
def test_age_is_in_its_largest_unit(passed: int, text: str) -> None:
    assert age(NOW - timedelta(seconds=passed), NOW) == text


def test_time_is_told_in_utc() -> None:
    assert instant(NOW) == "2026-11-20 12:00:00 UTC"


def test_what_could_steer_a_terminal_is_left_out() -> None:
    assert one_line("a\n  b\x1b[31m\x07 c") == "a b[31m c"
