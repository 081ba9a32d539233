import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.search.secret_scan import WITHHELD, holds_secret, is_for_secrets, withheld_members, without_secrets

VECTORIZER = b'{"uri":"https://x.example/embed?code=c2VjcmV0LXNlY3JldA","httpMethod" : "POST"}'


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ('{"a":{"apiKey":"8f7d"}}', "a/apiKey"),
        ('{"a":{"apiKey":"<redacted>"}}', None),
        ('{"credentials":{"connectionString":null}}', None),
        ('{"credentials":{"connectionString":"ResourceId=/subscriptions/1/x;"}}', None),
        (
            '{"credentials":{"connectionString":"ResourceId=/subscriptions/1/x;AccountKey=a1"}}',
            "credentials/connectionString",
        ),
        ('{"credentials":{"connectionString":"Server=x;Password=hunter2"}}', "credentials/connectionString"),
        (
            '{"encryptionKey":{"accessCredentials":{"applicationSecret":"s3"}}}',
            "encryptionKey/accessCredentials/applicationSecret",
        ),
        ('{"note":"use AccountKey=abc== here"}', "note"),
        ('{"headers":[{"Authorization":"Bearer abcdefghijklmnopqrst"}]}', "headers/0/Authorization"),
        ('{"httpHeaders":{"X-Tenant-Pass":"hunter2"}}', "httpHeaders/X-Tenant-Pass"),
        ('{"httpHeaders":{"Content-Type":"application/json"}}', None),
        ('{"httpHeaders":"X-Tenant: hunter2"}', "httpHeaders"),
        ('{"configuration":{"delimitedTextHeaders":"id"}}', None),
        ('{"apiKeys":["hunter2"]}', "apiKeys/0"),
        ('{"passwords":[["hunter2"]]}', "passwords/0/0"),
        ('{"clientSecret":["hunter2"]}', "clientSecret/0"),
        ('{"description":"?sv=2022-11-02&ss=b&sp=r&sig=abcDEF123%2Babc%3D"}', "description"),
        ('{"description":"the design=abcdefghijklmnopqrstuvwxyz"}', None),
        ('{"uri":"https://x/api?sig=abcdefgh1234"}', "uri"),
        ('{"uri":"https://x/api?page=1&client_secret=abcdefgh1234"}', "uri"),
        ('{"uri":"https://me:hunter2@x/api"}', "uri"),
        ('{"uri":"https://x/api?page=abcdefgh1234"}', "uri"),
        ('{"uri":"https://x/api?api-version=2024-10-21-preview"}', None),
        ('{"uri":"https://x:8080/api@2"}', None),
        ('{"fields":[{"name":"id","key":true}]}', None),
        ('{"fields":[{"name":"password"},{"name":"token"}]}', None),
        ('{"synonyms":"key, lock\\npassword, pass phrase"}', None),
        ('{"text":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef"}', "text"),
        ('{"pem":"-----BEGIN RSA PRIVATE KEY-----"}', "pem"),
    ],
)
def test_secrets_are_known_by_their_names_and_forms(definition: str, path: str | None) -> None:
    raw = msgspec.Raw(definition.encode())
    assert holds_secret(raw) == (path is not None)
    assert withheld_members(without_secrets(raw)) == ([] if path is None else [path])


def test_only_the_value_goes_and_what_is_beside_it_keeps_its_bytes() -> None:
    raw = msgspec.Raw(b'{"a": {"n" : 1.50},"v":' + VECTORIZER + b',"z": [ 1 ]}')
    assert bytes(without_secrets(raw)) == (b'{"a":{"n" : 1.50},"v":{"uri":"<withheld>","httpMethod":"POST"},"z":[ 1 ]}')


def test_a_definition_without_secrets_keeps_its_bytes() -> None:
    raw = msgspec.Raw(b'{ "name" : "hotels",\n "fields": [] }')
    assert bytes(without_secrets(raw)) == bytes(raw)


@pytest.mark.parametrize(
    "path",
    [
        "vectorSearch/vectorizers/0/customWebApiParameters/uri",
        "vectorSearch/vectorizers/0/customWebApiParameters/httpHeaders/X-Tenant-Pass",
        "encryptionKey/accessCredentials/applicationSecret",
        "skills/0/apiKey",
    ],
)
def test_some_members_are_for_secrets(path: str) -> None:
    assert is_for_secrets(path)


@pytest.mark.parametrize("path", ["description", "synonyms", "analyzers/0/stopwords/3"])
def test_all_others_are_content(path: str) -> None:
    assert not is_for_secrets(path)


HEX, BASE36 = "0f3c9a7be1d24586bb07c1e2d3a4f596", "k3j8x2q9z7w1m5n0b4v6"
BASE64 = "Zk9xQ2t2T0hYd1pyN2ZQbUo4c1R5VW5hQjNlR2lMd0s"


@pytest.mark.parametrize(
    "address",
    [
        "https://x.azurewebsites.net/api/embed?code=ab1",
        "https://x.azurewebsites.net/api/embed?CODE=short",
        "https://x.example/api?k=letmein",
        "https://x.example/api?letmein",
        "https://x.example/api?api-version=2024-10-21&x-token=letmein",
        f"https://x.example/api?api-version={HEX}",
        "https://x.example/api;key=letmein",
        "https://x.example/api#access_token=letmein",
        "https://letmein@x.example/api",
        "https://:letmein@x.example/api",
        f"https://x.example/hooks/{HEX}",
        f"https://x.example/hooks/{BASE36}",
        f"https://x.example/hooks/{BASE64}",
        "https://x.example/hooks/s3cr3t/run",
        "https://x.example/hooks/%73%33cr3t/run",
        "https://x.example/bot123456789:AAHk3j8x2q9z7w1m5n0b4v6",
        "https://x.example/3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "https://x.example/api=letmein",
        "x.example/api?code=letmein",
        "postgres://app:hunter2@db.example/hotels",
    ],
)
@pytest.mark.parametrize("member", ["uri", "URI", "resourceUri", "subdomainUrl", "service_endpoint"])
def test_an_address_keeps_no_more_than_scheme_host_and_a_path_of_words(address: str, member: str) -> None:
    raw = msgspec.Raw(msgspec.json.encode({"a": [{member: address}]}))
    assert withheld_members(without_secrets(raw)) == [f"a/0/{member}"]
    assert is_for_secrets(f"a/0/{member}")


@pytest.mark.parametrize("name", ["unheardOf", "source", "query"])
def test_an_address_is_known_whatever_its_member_is_called(name: str) -> None:
    assert holds_secret(msgspec.json.encode({name: "https://x.example/api?k=letmein"}))


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "API-Key",
        "ApiKey",
        "azureOpenAiApiKey",
        "client_secret",
        "Client-Secret",
        "sasToken",
        "SAS_TOKEN",
        "storage-connection-string",
        "functionKey",
        "Authorization",
        "auth_token",
        "Cookie",
        "adminPassword",
        "pass_phrase",
    ],
)
def test_names_are_compared_without_case_dashes_and_underscores(name: str) -> None:
    assert withheld_members(without_secrets(msgspec.Raw(msgspec.json.encode({"a": {name: "x1"}})))) == [f"a/{name}"]
    assert holds_secret(msgspec.json.encode({name: 12345678}))
    assert is_for_secrets(f"a/{name}")


@pytest.mark.parametrize(
    "text",
    [
        '{"apiKey":"never-kept","apiKey":"<redacted>"}',
        '{"a":[{"uri":"https://x.example/?code=never-kept","n":%s,"uri":"https://x.example"}]}' % ("9" * 300),
        r'{"uri":"https://x.example/?k=never-kept","u\u0072i":"https://x.example"}',
        '{"a":{"apiKey":"never-kept"},"a":null}',
        '{"a":[{"apiKey":"never-kept"}],"a":"b"}',
    ],
)
def test_the_first_of_two_members_of_one_name_counts_too(text: str) -> None:
    assert holds_secret(text.encode())
    assert b"never-kept" not in bytes(without_secrets(msgspec.Raw(text.encode())))


@pytest.mark.parametrize(
    ("definition", "paths"),
    [
        ({"httpHeaders": {"X-Any": "blue", "accept": "text/plain", "User-Agent": "a"}}, ["httpHeaders/X-Any"]),
        ({"http_headers": {"X-Any": "blue"}}, ["http_headers/X-Any"]),
        ({"requestHeaders": {"X-Any": ["blue"]}}, ["requestHeaders/X-Any/0"]),
        ({"headers": [{"name": "X-Any", "value": "blue"}]}, ["headers/0/value"]),
        ({"headers": [{"key": "X-Any", "value": "blue"}]}, ["headers/0/value"]),
        ({"headers": [{"name": "Accept", "value": "text/plain"}]}, []),
        ({"headers": [{"name": "Accept", "value": "x", "extra": "blue"}]}, ["headers/0/extra"]),
        ({"headers": ["X-Any: blue", "Accept: text/plain", "blue"]}, ["headers/0", "headers/2"]),
        ({"httpHeaders": {"description": "blue"}}, ["httpHeaders/description"]),
        ({"httpHeaders": {"Accept": f"Bearer {BASE64}"}}, ["httpHeaders/Accept"]),
        ({"extraParameters": {"team": "blue-7", "n": 1, "mode": "fast"}}, ["extraParameters/team"]),
        ({"parameters": {"configuration": {"queryTimeout": "00:05:00", "pass": "blue-7"}}},
         ["parameters/configuration/pass"]),
        ({"mappingFunction": {"name": "f", "parameters": {"delimiter": " ", "salt": "blue-7"}}},
         ["mappingFunction/parameters/salt"]),
        ({"weights": {f"ghp_{BASE36}": 1}}, ["weights"]),
    ],
)  # fmt: skip
def test_headers_and_parameters_of_unknown_names_go(definition: Any, paths: list[str]) -> None:
    assert withheld_members(without_secrets(msgspec.Raw(msgspec.json.encode(definition)))) == paths
    assert all(is_for_secrets(path) or path == "weights" for path in paths)


SHAPES = [
    f"sk-proj-{BASE36}",
    f"sk-{BASE36}",
    f"sk_live_{BASE36}",
    f"ghp_{BASE36}{BASE36}",
    f"github_pat_{BASE36}",
    f"glpat-{BASE36}",
    f"xoxb-{BASE36}",
    "AKIAIOSFODNN7EXAMPLE",
    f"AIza{BASE64[:35]}",
    f"hf_{BASE36}abcd",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xx.c2lnbmF0dXJl",
    "sv=2024-05-04&ss=b&sig=" + BASE64,
    "https://a.blob.core.windows.net/c?sv=2024-05-04&sig=abcd%3D",
    "AccountName=a;AccountKey=aw==",
    "Endpoint=sb://x.example/;SharedAccessKeyName=a;SharedAccessKey=aw==",
    "Server=db.example;User Id=sa;Password=x",
    "Server=db.example;Uid=sa;Pwd = x",
    "mongodb://sa:x@db.example/hotels",
    "redis://:x@cache.example",
    "postgresql://sa:x@db.example/hotels",
    f"Authorization: Bearer {BASE36}",
    f"Basic {BASE64}=",
    f"api key: {HEX}",
    f"the key is {HEX}",
    "aB3~Q~" + BASE64[:34],
    "9fK2" * 21 + "AB==",
    BASE64 * 2,
    "-----BEGIN PRIVATE KEY-----",
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", ["description", "synonyms", "analyzers/stopwords", "context", "weights"])
def test_known_forms_are_found_anywhere(shape: str, path: str) -> None:
    value: Any = f"Ask Ada (she has {shape}) first."
    for name in reversed(path.split("/")):
        value = {name: value}
    assert withheld_members(without_secrets(msgspec.Raw(msgspec.json.encode(value)))) == [path]


@pytest.mark.parametrize(
    "value",
    [
        "key is " * 25_000,
        "Bearer " * 25_000,
        "pwd = " * 30_000,
        "a1B2" * 40_000,
        "a." * 80_000,
        "://a:b" * 30_000,
        "?code=" * 30_000,
        "key" + " " * 160_000,
        "a1-" * 60_000,
        "eyJ" * 60_000,
    ],
)
def test_no_text_keeps_the_scan_busy(value: str) -> None:
    begun = time.process_time()
    for name in ("description", "uri", "apiKey", "connectionString", "configuration"):
        holds_secret(msgspec.json.encode({name: {"x": value}} if name == "configuration" else {name: value}))
    assert time.process_time() - begun < 5


TEXTS = st.text(max_size=5) | st.sampled_from(["Server=x;Password=hunter2", "https://x/?code=abcdefgh1234", WITHHELD])
NAMES = st.sampled_from(["apiKey", "uri", "name", "httpHeaders", "X-Auth", "connectionString", "a/b"])
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(VALUES)
def test_no_secret_is_left_and_nothing_else_is_changed(value: Any) -> None:
    raw = msgspec.Raw(json.dumps(value).encode())
    kept = without_secrets(raw)
    assert not holds_secret(kept)
    assert bytes(without_secrets(kept)) == bytes(kept)
    assert _same_but_withheld(value, json.loads(bytes(kept)))


def _same_but_withheld(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return list(before) == list(after) and all(_same_but_withheld(before[name], after[name]) for name in before)
    if isinstance(before, list):
        return len(before) == len(after) and all(map(_same_but_withheld, before, after))
    return bool(after in (before, WITHHELD))
