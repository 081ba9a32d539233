from argparse import ArgumentTypeError
from datetime import UTC, datetime

import pytest

from indexvault.cli.times import TimeBound

NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("20261120T0230", datetime(2026, 11, 20, 2, 30, tzinfo=UTC)),
        ("2026-11-20T02:30Z", datetime(2026, 11, 20, 2, 30, tzinfo=UTC)),
        ("2026-11-20T02:30+02:00", datetime(2026, 11, 20, 0, 30, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 20, tzinfo=UTC)),
        ("-1d", datetime(2026, 11, 20, 13, 10, tzinfo=UTC)),
        ("90min", datetime(2026, 11, 21, 11, 40, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 21, 11, 10, tzinfo=UTC)),
        ("3w", datetime(2026, 10, 31, 13, 10, tzinfo=UTC)),
    ],
)
def test_a_time_is_the_first_moment_of_what_is_written(text: str, meant: datetime) -> None:
    assert TimeBound.parse(text).first_moment(NOW) == meant


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "1y", "-d", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no time"):
        TimeBound.parse(text)
