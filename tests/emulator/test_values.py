from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.values import parse_date, render_date

ZONES = st.builds(
    timezone,
    st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
        lambda t: timedelta(minutes=t // timedelta(minutes=1))
    ),
)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES))  # noqa: DTZ001  # hypothesis adds the zone
def test_a_date_keeps_its_moment_to_the_millisecond(moment: datetime) -> None:
    milliseconds = parse_date(moment.isoformat())
    assert milliseconds is not None
    shown = render_date(milliseconds)
    assert parse_date(shown) == milliseconds
    assert timedelta(0) <= moment - datetime.fromisoformat(shown) < timedelta(milliseconds=1)
    assert datetime.fromisoformat(shown).tzinfo == UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2020-01-01",
        "2020-01-01T00:00:00",
        "2020-02-30T00:00:00Z",
        "2020-01-01 00:00:00Z",
        "0001-01-01T00:00:00+14:00",  # in UTC it has no year
        "9999-12-31T23:59:59.9999999-14:00",  # nor has this
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None
