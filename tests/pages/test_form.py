"""Forms: only from a page of the same host, and only what a browser sends."""

from typing import Any, cast

import pytest

from indexvault.errors import ConflictError, IndexvaultError, OversizedError, RequestError
from indexvault.pages.form import MEDIA_TYPE, MOST_BYTES, read_form, require_same_origin
from indexvault.pages.request import Links, PageRequest

OURS = {"host": "vault.example", "sec-fetch-site": "same-origin", "content-type": MEDIA_TYPE}


def request(body: bytes, headers: dict[str, str] | None = None) -> PageRequest:
    nobody = cast("Any", None)
    return PageRequest(
        method="POST",
        path=(),
        query={},
        headers=OURS if headers is None else headers,
        body=body,
        links=Links(),
        host=nobody,
        engine=nobody,
        watch=nobody,
        tokens=nobody,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "https://behind-a-proxy.example"},
        {"origin": "https://vault.example"},
        {"origin": "http://vault.example"},
    ],
)
def test_a_form_of_ours_is_taken(headers: dict[str, str]) -> None:
    require_same_origin({"host": "vault.example", **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site", "origin": "https://vault.example"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://vault.example.elsewhere.example"},
        {"origin": "https://elsewhere.example"},
        {"referer": "https://vault.example/"},
    ],
)
def test_a_form_of_another_site_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConflictError, match="not sent by a page of this app"):
        require_same_origin({"host": "vault.example", **headers})


def test_members_are_decoded() -> None:
    assert read_form(request(b"a=1&b=%C3%A4+b&c=")) == {"a": "1", "b": "\u00e4 b", "c": ""}


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (b"a=1&a=2", None, RequestError),
        (b"a=%ff", None, RequestError),
        (b"\xff=1", None, RequestError),
        (b"no form", None, RequestError),
        (b"&".join(b"a%d=1" % n for n in range(51)), None, RequestError),
        (b"a=" + b"x" * MOST_BYTES, None, OversizedError),
        (b"a=1", OURS | {"content-type": "application/json"}, RequestError),
        (b"a=1", {}, ConflictError),
    ],
)
def test_what_no_page_of_ours_sends_is_refused(
    body: bytes, headers: dict[str, str] | None, error: type[IndexvaultError]
) -> None:
    with pytest.raises(error):
        read_form(request(body, headers))
