"""The scan for secrets takes a time in proportion to the text, whatever the text: a stranger may have written it."""

import time

import msgspec
import pytest

from indexvault.search.secret_scan import holds_secret, without_secrets

LENGTH = 80_000
"""Bytes. A patch of twice this size once took 101 s."""
REPEATED = (
    "-eyJaaa", "eyJaaaaaaaaaa.", "-eyJaaaaaaaaaa.aaaaaaaaaaa.", "a", "password ", "://a:", "://aaa:bbb", "-----BEGIN A",
    "Bearer ", " ", "A" * 86, "?code=", "&key=abcdefg", "ResourceId=a;b=", "//a@", "a1B2", "%41", "a:",
)  # fmt: skip


@pytest.mark.parametrize("repeated", REPEATED, ids=range(len(REPEATED)))
def test_the_scan_is_linear(repeated: str) -> None:
    text = (repeated * (LENGTH // len(repeated) + 1))[:LENGTH]
    definition = msgspec.json.encode({"description": text, "uri": text + "=", "connectionString": text})
    started = time.thread_time()
    without_secrets(msgspec.Raw(definition))
    holds_secret(definition)
    assert time.thread_time() - started < 5


def test_the_scan_is_linear_in_the_number_of_values_and_levels() -> None:
    wide = msgspec.json.encode({"fields": [{"name": "a", "apiKey": "s3cr3t-value"}] * 10_000})
    deep = b'{"a":' * 60 + msgspec.json.encode({"uri": "a" * LENGTH, "apiKey": "s3cr3t-value"}) + b"}" * 60
    started = time.thread_time()
    for definition in (wide, deep):
        assert b"s3cr3t" not in bytes(without_secrets(msgspec.Raw(definition)))
    assert time.thread_time() - started < 5
