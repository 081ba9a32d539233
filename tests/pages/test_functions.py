"""Who may see the page in the Functions app, and what its links carry."""

import random
from typing import Any, cast

import azure.functions as func
import pytest

from indexvault.pages.functions import SIGN_IN, _Pages, page_blueprint
from indexvault.workflow.functions_host import FunctionsHost
from tests.memory_store import MemoryStore
from tests.world import World, open_world

SIGNED_IN = {"x-ms-client-principal-id": "7f3a", "x-ms-client-principal-name": "ada@contoso.example"}


def host_of(world: World, environment: dict[str, str]) -> FunctionsHost:
    host = FunctionsHost(environment, rng=random.Random(1))
    host.__dict__["resources"] = world.resources
    return host


def levels(environment: dict[str, str]) -> dict[str, Any]:
    """Return what each route asks for."""
    host = FunctionsHost(environment, rng=random.Random(1))
    triggers: list[Any] = [
        builder._function.get_trigger() for builder in page_blueprint(host, process_secret="x")._function_builders
    ]
    return {trigger.route: trigger.auth_level for trigger in triggers if hasattr(trigger, "route")}


def test_pages_take_a_key_and_their_files_take_none() -> None:
    found = levels({})
    assert found["page/assets/{name}"] is func.AuthLevel.ANONYMOUS
    assert {level for route, level in found.items() if "assets" not in route} == {func.AuthLevel.FUNCTION}
    assert set(levels({SIGN_IN: "platform"}).values()) == {func.AuthLevel.ANONYMOUS}
    assert levels({SIGN_IN: "nobody"}) == found


async def ask(pages: _Pages, headers: dict[str, str], **query: str) -> func.HttpResponse:
    request = func.HttpRequest("GET", "https://vault.example/api/", headers=headers, params=query, body=b"")
    return await pages.answer(request, cast("Any", None))


@pytest.mark.parametrize(
    ("environment", "headers", "status", "words"),
    [
        ({"WEBSITE_AUTH_ENABLED": "True"}, SIGNED_IN, 200, "ada@contoso.example"),
        ({"WEBSITE_AUTH_ENABLED": "True"}, {}, 403, "nobody is signed in"),
        # Anybody can send these headers where the platform does not take them off.
        ({}, SIGNED_IN, 403, "its authentication is off"),
        ({"WEBSITE_AUTH_ENABLED": "False"}, SIGNED_IN, 403, "its authentication is off"),
    ],
)
async def test_the_platform_has_to_sign_people_in(
    environment: dict[str, str], headers: dict[str, str], status: int, words: str
) -> None:
    async with open_world(MemoryStore("local")) as world:
        pages = _Pages(host_of(world, environment), by_platform=True, process_secret="x")
        answer = await ask(pages, headers, code="a-key-that-does-not-count")
    assert answer.status_code == status
    assert words in answer.get_body().decode()
    assert "a-key-that-does-not-count" not in answer.get_body().decode()


async def test_broken_settings_are_a_page() -> None:
    host = FunctionsHost({}, rng=random.Random(1))
    answer = await ask(_Pages(host, by_platform=False, process_secret="x"), {}, code='k"><script>')
    assert answer.status_code == 500
    text = answer.get_body().decode()
    assert "INDEXVAULT_CONFIG" in text
    assert "<script>" not in text
    assert "code=k%22%3E%3Cscript%3E" in text
