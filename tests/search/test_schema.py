import msgspec
import pytest

from indexvault.errors import SettingsError, UnexpectedAnswerError
from indexvault.search.credentials import audience, authority
from indexvault.search.query import key_range, literal
from indexvault.search.schema import Field, read_schema

DEFINITION = {
    "name": "hotels",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "retrievable": True},
        {"name": "note", "type": "Edm.String", "retrievable": False, "synonymMaps": ["words"]},
        {"name": "vector", "type": "Collection(Edm.Single)", "dimensions": 3, "retrievable": True, "stored": True},
        {"name": "lost", "type": "Collection(Edm.Single)", "dimensions": 3, "retrievable": False, "stored": False},
        {"name": "unsaid", "type": "Collection(Edm.Single)", "dimensions": 3},
        {
            "name": "rooms",
            "type": "Collection(Edm.ComplexType)",
            "fields": [
                {"name": "rate", "type": "Edm.Double"},
                {"name": "secret", "type": "Edm.String", "retrievable": False, "synonymMaps": ["more", "words"]},
            ],
        },
    ],
}


def test_fields_are_walked_with_their_paths_and_judged_readable() -> None:
    schema = read_schema(msgspec.json.encode(DEFINITION), on="x")
    assert {path: field.is_readable for path, field in schema.walk()} == {
        "id": True,
        "note": False,
        "vector": True,
        "lost": False,
        "unsaid": False,
        "rooms": True,
        "rooms/rate": True,
        "rooms/secret": False,
    }
    assert schema.key.name == "id"
    assert schema.synonym_map_names() == ["more", "words"]


def test_types_are_taken_apart() -> None:
    assert Field("a", "Collection(Edm.Single)").item_type == "Edm.Single"
    assert Field("a", "Collection(Edm.ComplexType)").is_complex
    assert not Field("a", "Edm.String").is_collection


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name":"x"}'])
def test_what_is_no_definition_is_refused(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        read_schema(body, on="x")


def test_quotes_in_keys_are_doubled() -> None:
    assert literal("o'neill") == "'o''neill'"
    assert key_range("id", "a'", None) == "id gt 'a'''"
    assert key_range("id", "a", "b") == "id gt 'a' and id le 'b'"
    assert key_range("id", None, None) is None


@pytest.mark.parametrize(
    ("endpoint", "cloud", "issuer"),
    [
        ("https://x.search.windows.net", "https://search.azure.com", "login.microsoftonline.com"),
        ("https://x.search.azure.us/", "https://search.azure.us", "login.microsoftonline.us"),
        ("https://x.search.azure.cn", "https://search.azure.cn", "login.chinacloudapi.cn"),
    ],
)
def test_the_audience_follows_the_cloud(endpoint: str, cloud: str, issuer: str) -> None:
    assert audience(endpoint) == cloud
    assert authority(endpoint) == issuer


@pytest.mark.parametrize("endpoint", ["https://search.windows.net.example.org", "http://127.0.0.1:1"])
def test_no_token_is_made_for_a_stranger(endpoint: str) -> None:
    with pytest.raises(SettingsError):
        audience(endpoint)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({}, None),
        ({"filterable": True, "sortable": True}, None),
        ({"filterable": False}, "not filterable"),
        ({"filterable": False, "sortable": False}, "not filterable and not sortable"),
        ({"normalizer": "lowercase"}, "ordered by a normalizer"),
        ({"sortable": False, "normalizer": "lowercase"}, "not sortable"),
    ],
)
def test_a_key_gives_an_order_unless_an_attribute_says_otherwise(
    attributes: dict[str, object], reason: str | None
) -> None:
    key = {"name": "id", "type": "Edm.String", "key": True, **attributes}
    schema = read_schema(msgspec.json.encode({"name": "hotels", "fields": [key]}), on="test")
    assert schema.no_key_order_reason == reason
    assert schema.has_key_order == (reason is None)
