from typing import Any

import pytest

from indexvault.api.decode import decode_body, decode_members
from indexvault.api.runs import RunPath, RunsQuery
from indexvault.errors import RequestError


@pytest.mark.parametrize("given", [{"run": "\ud800"}, {"\ud800": "x"}])
def test_parameters_that_are_no_unicode(given: dict[str, str]) -> None:
    with pytest.raises(RequestError):
        decode_members(given, RunPath, "path")
    with pytest.raises(RequestError):
        decode_members(given, RunsQuery, "query")


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b'{"patch": ' + b"[" * 900 + b"]" * 900 + b"}", "body.patch"),
        (b'{"a\\nb": ' + b"[" * 900 + b"]" * 900 + b"}", "body.a b"),
        (b'{"service": "a", "indexes": ' + b"[" * 100_000, "body"),
        (b'{"patch": ' + b"[" * 400_000 + b"]" * 400_000 + b"}", "body"),
        (b"[" * 900 + b"]" * 900, "body"),
    ],
)
def test_a_body_that_nests_too_deep_is_told_by_its_member(body: bytes, member: str) -> None:
    with pytest.raises(RequestError, match="nests deeper than 128 levels") as refused:
        decode_body(body, dict[str, Any])
    assert refused.value.on == member
