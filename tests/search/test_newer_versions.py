"""What the stable api-version refuses, since it was made with a newer one, is asked for in the preview."""

import json

import pytest
from aiohttp import web

from indexvault.errors import NewerVersionError, RefusedError
from indexvault.search.transport import PREVIEW, STABLE
from tests.scripted import Scripted

WORDS = "This index was created with a newer version of the Azure Search API. Please use the latest API version."


def service_with(newer: str, code: str) -> object:
    def answer(request: web.Request) -> web.Response:
        if request.query["api-version"] == STABLE and newer in request.path:
            return web.Response(status=400, body=json.dumps({"error": {"code": code, "message": WORDS}}))
        return web.Response(body=b'{"name":"a","fields":[],"documentCount":1}')

    return answer


def versions(scripted: Scripted) -> list[str]:
    return [path.partition("api-version=")[2].partition("&")[0] for _method, path, _headers, _body in scripted.requests]


@pytest.mark.parametrize("code", ["FeatureNotSupportedInApiVersion", ""])
async def test_the_preview_is_asked_from_then_on(scripted: Scripted, code: str) -> None:
    scripted.replies = [service_with("newer", code)]  # type: ignore[list-item]
    found = await scripted.service.index_definition("newer")
    assert found.api_version == PREVIEW
    await scripted.service.index_statistics("newer")
    assert versions(scripted) == [STABLE, PREVIEW, PREVIEW]


async def test_other_indexes_are_asked_in_the_stable_version(scripted: Scripted) -> None:
    scripted.replies = [service_with("newer", "")]  # type: ignore[list-item]
    await scripted.service.index_definition("newer")
    assert (await scripted.service.index_definition("newer-still")).api_version == PREVIEW
    assert (await scripted.service.index_definition("old")).api_version == STABLE
    assert versions(scripted)[-1] == STABLE


async def test_a_preview_that_refuses_too_is_an_error(scripted: Scripted) -> None:
    body = json.dumps({"error": {"code": "FeatureNotSupportedInApiVersion", "message": WORDS}})
    scripted.replies = [lambda _request: web.Response(status=400, body=body)]
    with pytest.raises(NewerVersionError, match="newer api-version") as raised:
        await scripted.service.index_definition("newer")
    assert isinstance(raised.value, RefusedError)
    assert versions(scripted) == [STABLE, PREVIEW]
