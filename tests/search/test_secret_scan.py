import json
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
        ('{"uri":"https://x/api?sig=abcdefgh1234"}', "uri"),
        ('{"uri":"https://x/api?page=1&client_secret=abcdefgh1234"}', "uri"),
        ('{"uri":"https://me:hunter2@x/api"}', "uri"),
        ('{"uri":"https://x/api?page=abcdefgh1234"}', None),
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
