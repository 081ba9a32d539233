"""The pages as functions of the Azure Functions app."""

import logging
from collections.abc import Mapping
from urllib.parse import unquote

import azure.durable_functions as df
import azure.functions as func

from indexvault.api.endpoint import PREFIX, caller_of
from indexvault.api.problems import Problem
from indexvault.errors import IndexvaultError
from indexvault.pages.request import Links, PageRequest, PageResponse
from indexvault.pages.site import answer, asset, refusal
from indexvault.pages.tokens import Tokens
from indexvault.snapshots.record_keys import NO_KEYS, RecordKeys
from indexvault.status.watch import Watch
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.functions_host import FunctionsHost

SIGN_IN = "INDEXVAULT_PAGE_SIGN_IN"
"""`platform`: people sign in through the platform's authentication, and no function key is asked for."""

_AUTHENTICATION_IS_ON = "WEBSITE_AUTH_ENABLED"
"""Set to True by App Service where its authentication is on; then it removes the headers below from what comes from
outside. Source: Environment variables and app settings in Azure App Service, 2026-09."""
_PRINCIPAL, _PRINCIPAL_NAME = "x-ms-client-principal-id", "x-ms-client-principal-name"
_ROOT = "{ignored:maxlength(0)?}"
"""The route of the prefix itself: the host takes an empty route for a missing one. Source: issue 2473 of
Azure/Azure-Functions."""
_LOG = logging.getLogger(__name__)


def page_blueprint(host: FunctionsHost, *, process_secret: str) -> df.Blueprint:
    """Return the blueprint. `process_secret` signs forms where there is neither a record key nor a function key."""
    by_platform = host.environment.get(SIGN_IN, "").strip().lower() == "platform"
    level = func.AuthLevel.ANONYMOUS if by_platform else func.AuthLevel.FUNCTION
    pages = _Pages(host, by_platform=by_platform, process_secret=process_secret)
    blueprint = df.Blueprint()

    async def page_overview(request: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
        return await pages.answer(request, client)

    async def page(request: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
        return await pages.answer(request, client)

    async def page_asset(request: func.HttpRequest) -> func.HttpResponse:
        return _response(asset(str(request.route_params.get("name", ""))))

    for function, route, methods in ((page_overview, _ROOT, ["GET"]), (page, "page/{*path}", ["GET", "POST"])):
        bound = blueprint.durable_client_input(client_name="client")(function)
        blueprint.route(route=route, methods=methods, auth_level=level, trigger_arg_name="request")(bound)
    blueprint.route(
        route="page/assets/{name}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
    )(page_asset)
    return blueprint


class _Pages:
    """Answers requests for pages, whoever sends them."""

    def __init__(self, host: FunctionsHost, *, by_platform: bool, process_secret: str) -> None:
        self._host = host
        self._by_platform = by_platform
        self._process_secret = process_secret
        self._watch = Watch()

    async def answer(self, request: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
        """Answer a request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        code = "" if self._by_platform else str(request.params.get("code", "")).partition(",")[0]
        caller = headers.get(_PRINCIPAL, "") if self._by_platform else caller_of(headers, request.params)
        path = str(request.route_params.get("path", ""))
        asked = PageRequest(
            method=request.method.upper(),
            path=tuple(unquote(part) for part in path.split("/")) if path else (),
            query=dict(request.params),
            headers=headers,
            body=request.get_body(),
            links=Links(PREFIX, code),
            host=self._host,
            engine=DurableEngine(client),
            watch=self._watch,
            tokens=Tokens(self._keys(code), caller),
            caller=caller,
            user=headers.get(_PRINCIPAL_NAME, "") if self._by_platform else "",
        )
        if self._by_platform and (problem := self._not_signed_in(headers)) is not None:
            return _response(refusal(asked, problem))
        return _response(await answer(asked))

    def _not_signed_in(self, headers: Mapping[str, str]) -> Problem | None:
        """Return why a request that the platform should have signed in can't be trusted, or None."""
        if self._host.environment.get(_AUTHENTICATION_IS_ON, "").strip().lower() != "true":
            return _forbidden(
                f"{SIGN_IN} says that the platform signs people in, and its authentication is off",
                "Turn it on, or remove the setting and use a function key",
            )
        if not headers.get(_PRINCIPAL):
            return _forbidden("nobody is signed in", "Sign in at /.auth/login/aad")
        return None

    def _keys(self, code: str) -> RecordKeys:
        """Return what signs forms: the record key, or else a secret that whoever forges a form does not have."""
        try:
            found = self._host.resources.clients.record_keys
        except IndexvaultError:
            found = NO_KEYS
        return found or RecordKeys([code or self._process_secret])


def _forbidden(what: str, do: str) -> Problem:
    return Problem(type="urn:indexvault:forbidden", title="Not signed in", status=403, detail=what, what=what, do=do)


def _response(response: PageResponse) -> func.HttpResponse:
    return func.HttpResponse(
        response.body,
        status_code=response.status,
        mimetype=response.media_type.partition(";")[0],
        charset="utf-8",
        headers=dict(response.headers),
    )
