"""Which managed identity a token is asked for, as App Service and Azure Functions hand them out."""

import pytest
from aiohttp import web

from indexvault.clients import default_identity

SEARCH, WRITE = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"


@pytest.mark.parametrize(("client_id", "asked"), [(None, SEARCH), (WRITE, WRITE)])
async def test_the_identity_without_a_name_is_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, client_id: str | None, asked: str
) -> None:
    """An app with user-assigned identities only has none without a name, so AZURE_CLIENT_ID must count."""
    wanted: list[str | None] = []

    async def token(request: web.Request) -> web.Response:
        wanted.append(request.query.get("client_id"))
        return web.json_response(
            {"access_token": "t", "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"}
        )

    application = web.Application()
    application.router.add_get("/token", token)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    monkeypatch.setenv("AZURE_CLIENT_ID", SEARCH)
    try:
        async with default_identity("login.microsoftonline.com", client_id) as identity:
            await identity.get_token("https://search.azure.com/.default")
    finally:
        await runner.cleanup()
    assert wanted == [asked]
