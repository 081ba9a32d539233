import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import SettingsError
from indexvault.restore.definition import TargetDefinition, target_definition, with_fields_shown
from indexvault.restore.patch import MOST_LEVELS, patch_text, patched, read_patch
from indexvault.restore.projection import Projection, readable
from indexvault.restore.schema_changes import schema_changes
from indexvault.search.schema import Field, Schema
from indexvault.snapshots.manifest import Definition, VersionedDefinition

DEFINITION = msgspec.Raw(
    b'{"name":"hotels","fields":[{"name":"id","type":"Edm.String","key":true},'
    b'{"name":"rooms","type":"Collection(Edm.ComplexType)","fields":[{"name":"rate","type":"Edm.Double"}]}],'
    b'"similarity":{"k1":1.20,"b":0.75},"scoringProfiles":[]}'
)


def apply(patch: object) -> object:
    return msgspec.json.decode(patched(DEFINITION, read_patch(msgspec.json.encode(patch).decode())))


def test_a_field_is_changed_added_and_dropped_by_its_name_on_any_level() -> None:
    made = apply(
        {
            "fields": {
                "rooms": {"fields": {"rate": {"facetable": True}, "beds": {"type": "Edm.Int32"}}},
                "note": {"type": "Edm.String"},
            }
        }
    )
    assert isinstance(made, dict)
    assert made["fields"][1]["fields"] == [
        {"name": "rate", "type": "Edm.Double", "facetable": True},
        {"name": "beds", "type": "Edm.Int32"},
    ]
    assert made["fields"][2] == {"name": "note", "type": "Edm.String"}
    dropped = apply({"fields": {"rooms": None}})
    assert isinstance(dropped, dict)
    assert [field["name"] for field in dropped["fields"]] == ["id"]


def test_what_a_patch_does_not_touch_keeps_its_bytes() -> None:
    made = bytes(patched(DEFINITION, {"fields": {"id": {"sortable": True}}}))
    assert b'"similarity":{"k1":1.20,"b":0.75}' in made
    assert b'{"name":"rate","type":"Edm.Double"}' in made


def test_an_array_in_a_patch_replaces_the_whole_as_the_rfc_has_it() -> None:
    made = apply({"fields": [{"name": "key"}]})
    assert isinstance(made, dict)
    assert made["fields"] == [{"name": "key"}]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def merged(target: object, patch: object) -> object:
    """Merge as the pseudo-code of RFC 7396 does."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(target=st.dictionaries(st.sampled_from("abc"), VALUES), patch=st.dictionaries(st.sampled_from("abc"), VALUES))
def test_members_other_than_named_lists_follow_the_rfc(target: dict[str, object], patch: dict[str, object]) -> None:
    made = patched(msgspec.Raw(msgspec.json.encode(target)), patch)
    assert msgspec.json.decode(made) == merged(target, patch)


@pytest.mark.parametrize(
    ("patch", "where"),
    [
        ("[]", "JSON object"),
        ("{", "not JSON"),
        ('{"name":"other"}', "rename the index"),
        ('{"fields":{"gone":null}}', "what is not there"),
        ('{"fields":{"id":{"name":"key"}}}', "rename is not possible"),
        ('{"fields":{"id":5}}', "expected an object"),
    ],
)
def test_a_patch_that_makes_no_sense_says_where(patch: str, where: str) -> None:
    with pytest.raises(SettingsError, match=where):
        patched(DEFINITION, read_patch(patch))


def field(name: str, kind: str, *inner: Field, **members: object) -> Field:
    return Field(name, kind, fields=inner, **members)  # type: ignore[arg-type]  # members of a field, by name


def schema(*fields: Field) -> Schema:
    return Schema(name="x", fields=(field("id", "Edm.String", key=True), *fields))


@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 100_000])
def test_a_patch_has_only_so_many_levels(levels: int) -> None:
    patch: dict[str, object] = {}
    for _ in range(levels):
        patch = {"a": patch}
    with pytest.raises(SettingsError, match="levels"):
        patch_text(patch)
    while patch:  # a tower of this height can't be taken down all at once
        patch = patch["a"]  # type: ignore[assignment]  # it is a dict at every level


def test_a_patch_that_makes_no_definition_is_the_patch_s_fault() -> None:
    definition = VersionedDefinition(api_version="2026-04-01", body=DEFINITION)
    with pytest.raises(SettingsError) as raised:
        target_definition(Definition(stable=definition, preview=None), "inns", '{"fields": [1]}')
    assert raised.value.on == "patch"


def test_what_a_change_means_to_documents_is_said_field_by_field() -> None:
    before = schema(
        field("a", "Edm.Int32"),
        field("b", "Edm.String"),
        field("rooms", "Collection(Edm.ComplexType)", field("rate", "Edm.Double"), field("old", "Edm.String")),
        field("v", "Collection(Edm.Single)", dimensions=8),
        field("w", "Collection(Edm.Single)", dimensions=8),
    )
    after = schema(
        field("a", "Edm.Double"),
        field("b", "Edm.Int32"),
        field("rooms", "Collection(Edm.ComplexType)", field("rate", "Edm.Double"), field("new", "Edm.String")),
        field("v", "Collection(Edm.Half)", dimensions=8),
        field("w", "Collection(Edm.Single)", dimensions=16),
        field("c", "Edm.String"),
    )
    changes = schema_changes(before, after)
    assert changes.dropped == ["rooms/old"]
    assert changes.added == ["rooms/new", "c"]
    assert changes.rounded == ["v"]
    assert [path for path, _reason in changes.impossible] == ["b", "w"]


@pytest.mark.parametrize("key", ["other", None])
def test_another_key_is_impossible(key: str | None) -> None:
    after = Schema(name="x", fields=(field("id", "Edm.String"), field("other", "Edm.String", key=key == "other")))
    assert schema_changes(schema(field("other", "Edm.String")), after).impossible


def test_documents_lose_what_has_no_field_and_keep_their_bytes_otherwise() -> None:
    before = schema(
        field("a", "Edm.Double"),
        field("tags", "Collection(Edm.String)"),
        field("rooms", "Collection(Edm.ComplexType)", field("rate", "Edm.Double"), field("old", "Edm.String")),
        field("place", "Edm.ComplexType", field("city", "Edm.String"), field("old", "Edm.String")),
    )
    after = schema(
        field("tags", "Collection(Edm.String)"),
        field("rooms", "Collection(Edm.ComplexType)", field("rate", "Edm.Double")),
        field("place", "Edm.ComplexType", field("city", "Edm.String")),
    )
    line = (
        b'{"id":"1","a":1,"tags":["x"],"rooms":[{"rate":1.50,"old":"o"},{"rate":2e3,"old":null}],'
        b'"place":{"city":"c","old":"\\u0041"}}'
    )
    fitted = b'{"id":"1","tags":["x"],"rooms":[{"rate":1.50},{"rate":2e3}],"place":{"city":"c"}}'
    assert Projection(before, after).project(line) == fitted
    assert not Projection(before, after).keeps_bytes
    assert Projection(before, before).project(line) is line


def test_null_collections_are_left_out_on_every_level_and_nothing_else() -> None:
    known = schema(
        field("tags", "Collection(Edm.String)"),
        field("text", "Edm.String"),
        field("rooms", "Collection(Edm.ComplexType)", field("tags", "Collection(Edm.String)")),
    )
    line = b'{"id":"1","tags":null,"text":null,"rooms":[{"tags":null},{"tags":[]}]}'
    assert Projection(known, known).project(line) == b'{"id":"1","text":null,"rooms":[{},{"tags":[]}]}'
    quoted = b'{"id":"1","text":"\\"tags\\":null"}'
    assert Projection(known, known).project(quoted) == quoted


def test_fields_that_are_not_given_out_are_shown_while_they_are_compared() -> None:
    body = msgspec.Raw(
        b'{"name":"x","fields":[{"name":"id","type":"Edm.String","key":true},'
        b'{"name":"s","type":"Edm.String","retrievable":false},'
        b'{"name":"c","type":"Edm.ComplexType","fields":[{"name":"t","type":"Edm.String","retrievable":false}]},'
        b'{"name":"v","type":"Collection(Edm.Single)","dimensions":2,"stored":false,"retrievable":false}]}'
    )
    shown = msgspec.json.decode(with_fields_shown(TargetDefinition(body, preview=False)).body)
    assert shown["fields"][1]["retrievable"] is True
    assert shown["fields"][2]["fields"][0]["retrievable"] is True
    assert shown["fields"][3]["retrievable"] is False
    assert [each.name for each in readable(msgspec.json.decode(body, type=Schema)).fields] == ["id", "c"]
