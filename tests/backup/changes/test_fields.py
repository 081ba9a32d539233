"""Which field can say what was changed, and why another can't."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from indexvault.backup.changes.fields import (
    FieldVerdict,
    Seen,
    field_fault,
    in_words,
    key_fault,
    literal_at,
    seen_fault,
    unit_of,
    verdicts,
)
from indexvault.search.schema import Field, Schema

KEY = Field(name="id", type="Edm.String", key=True, filterable=True, sortable=True)
TIME = "Edm.DateTimeOffset"
SCHEMA = Schema(
    name="hotels",
    fields=(
        KEY,
        Field(name="written", type=TIME, filterable=True, sortable=True, retrievable=True),
        Field(name="unfilterable", type=TIME, filterable=False),
        Field(name="unsortable", type=TIME, sortable=False),
        Field(name="neither", type=TIME, filterable=False, sortable=False),
        Field(name="hidden", type=TIME, retrievable=False),
        Field(name="many", type=f"Collection({TIME})"),
        Field(name="name", type="Edm.String"),
        Field(name="_ts", type="Edm.Int64"),
        Field(name="place", type="Edm.ComplexType", fields=(Field(name="seen", type=TIME),)),
        Field(name="rooms", type="Collection(Edm.ComplexType)", fields=(Field(name="seen", type=TIME),)),
    ),
)
MOMENT = datetime(2026, 11, 20, 2, 30, 0, 123_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("written", None),
        ("_ts", None),
        ("place/seen", None),
        ("absent", "the index has no such field"),
        ("id", "it is the key, which never changes"),
        ("unfilterable", "it is not filterable"),
        ("unsortable", "it is not sortable"),
        ("neither", "it is not filterable and not sortable"),
        ("hidden", "it is hidden (not retrievable)"),
        ("place", "it is a complex field"),
        ("many", "it is a collection, or inside one, so a document has several values of it"),
        ("rooms/seen", "it is a collection, or inside one, so a document has several values of it"),
        (
            "name",
            "its type, Edm.String, is no time: use an Edm.DateTimeOffset, or a number that counts from 1970",
        ),
    ],
)
def test_a_field_is_refused_by_name(path: str, fault: str | None) -> None:
    assert field_fault(SCHEMA, path) == fault


@pytest.mark.parametrize("missing", ["filterable", "sortable"])
def test_a_key_without_an_order_is_refused(missing: str) -> None:
    key = msgspec.structs.replace(KEY, **{missing: False})
    fault = f"the key field id is not {missing}, so deletions can't be found"
    assert key_fault(Schema(name="hotels", fields=(key,))) == fault
    assert key_fault(SCHEMA) is None


def test_what_readings_have_seen_refuses_a_field() -> None:
    assert seen_fault(Seen(documents=1000, future=10)) is None
    assert seen_fault(Seen(documents=1000, future=11)) == (
        "it lies in the future in 11 of 1,000 documents, so it is no time of writing"
    )
    assert seen_fault(Seen(changed=10, stood_still=4)) is None
    assert seen_fault(Seen(changed=10, stood_still=5)) == "it stood still in 5 of 10 documents that were changed"
    assert seen_fault(Seen()) is None


def test_all_fields_that_give_a_time_are_judged_those_that_would_do_first() -> None:
    found = verdicts(SCHEMA, {"written": Seen(changed=1, stood_still=1)})
    assert [each.path for each in found if each.fault is None] == ["_ts", "place/seen"]
    assert FieldVerdict("written", "it stood still in 1 of 1 documents that were changed") in found
    assert in_words(found)[0] == "_ts: would do"
    assert "name" not in {each.path for each in found}
    unordered = Schema(
        name="hotels", fields=(Field(name="id", type="Edm.String", key=True, sortable=False), *SCHEMA.fields[1:])
    )
    assert all("deletions can't be found" in (each.fault or "") for each in verdicts(unordered))


@pytest.mark.parametrize(
    ("newest", "unit"),
    [
        (1_790_000_000, "seconds"),
        (1_790_000_000_123, "milliseconds"),
        (1_790_000_000_123_456, "microseconds"),
        (17, None),
        (None, None),
        (-1, None),
    ],
)
def test_a_number_says_by_its_newest_value_how_it_counts(newest: float | None, unit: str | None) -> None:
    assert unit_of(Field(name="_ts", type="Edm.Int64"), newest) == unit
    assert unit_of(Field(name="written", type=TIME), newest) == "time"


def test_a_bound_is_rounded_down() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5)))
    assert literal_at("time", elsewhere) == "2026-11-20T02:30:00.123Z"
    assert literal_at("seconds", elsewhere) == str(int(MOMENT.timestamp()))
    assert literal_at("milliseconds", MOMENT) == f"{int(MOMENT.timestamp())}123"
    assert literal_at("microseconds", MOMENT) == f"{int(MOMENT.timestamp())}123999"
