"""What changed since the snapshot before, in words."""

from typing import Any

import msgspec

from indexvault.pages.differences import MOST_LINES, definition_differences
from tests import hotels


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return definition_differences(msgspec.json.encode(before), msgspec.json.encode(after))


def test_the_same_definition_does_not_differ() -> None:
    again = {"@odata.etag": "2", **hotels.definition(), "scoringProfiles": []}
    assert differences(hotels.definition(), again) == []


def test_fields_and_members_are_named() -> None:
    fields = [field for field in hotels.DEFINITION["fields"] if field["name"] not in {"stars", "rooms"}]
    rooms = {"name": "rooms", "type": "Collection(Edm.ComplexType)", "fields": [{"name": "view", "type": "Edm.String"}]}
    after = hotels.definition(fields=[*fields, rooms], suggesters=[{"name": "s"}])
    after["vectorSearch"] = {}
    before = hotels.with_field("name", searchable=False)
    assert differences(before, after) == [
        "field rooms/view added (Edm.String)",
        "field stars removed",
        "field rooms/kind removed",
        "field rooms/rate removed",
        "field rooms/beds removed",
        "field name: searchable changed",
        "suggesters added",
        "vectorSearch removed",
    ]


def test_there_is_a_limit() -> None:
    many = hotels.definition(fields=[{"name": f"f{at}", "type": "Edm.String"} for at in range(300)])
    found = differences(hotels.definition(fields=[]), many)
    assert len(found) == MOST_LINES + 1
    assert found[-1] == "and 200 more"


def test_definitions_that_make_no_sense_do_no_harm() -> None:
    assert differences({"fields": [3, None, {"name": None}]}, {"fields": "x"}) == ["field None removed"]
