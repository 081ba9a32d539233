"""Endpoints: their types, which both validate and document requests, and how Azure Functions calls them."""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import azure.durable_functions as df
import azure.functions as func
import msgspec

from indexvault.api.decode import decode_body, decode_members
from indexvault.api.problems import MEDIA_TYPE, RETRY_SECONDS, Problem, problem_of, unexpected
from indexvault.errors import IndexvaultError
from indexvault.snapshots.pins import Identity
from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.functions_host import FunctionsHost

PREFIX = "/api"
"""The prefix that Azure Functions puts before every route unless host.json sets another; ours does not."""

_KEY_PARAMETERS = frozenset({"code", "clientId"})
"""Query parameters of Azure Functions itself: the key and its name."""

_KEY_HEADER = "x-functions-key"
_CALLER_DIGITS = 12
_AUTHENTICATION = "WEBSITE_AUTH_ENABLED"
"""Set by the platform where its authentication is on. Source: Microsoft.Identity.Web, `AppServicesAuthentication`."""
_PRINCIPAL_ID = "x-ms-client-principal-id"
_PRINCIPAL_NAME = "x-ms-client-principal-name"
_PRINCIPAL_ISSUER = "x-ms-client-principal-idp"
_IDENTITY_LENGTH = 200
_TRY_AGAIN = frozenset({429, 503})
_LOG = logging.getLogger(__name__)


class Host(Protocol):
    """What runs the app, as endpoints see it: the Functions app, or the command line that serves the page."""

    @property
    def resources(self) -> Resources:
        """The resources of activities. Raises SettingsError if the settings can't be used."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that hold the secrets which the settings name."""
        ...


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, content to be encoded as JSON, and headers."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call[Body, Query, Path]:
    """One decoded request, with the host and the engine to answer it.

    `caller` tells callers apart by their function keys, without telling the keys. `identity` is who asks, as far as the
    platform tells; None if it tells nothing.
    """

    body: Body
    query: Query
    path: Path
    host: Host
    engine: DurableEngine
    caller: str = ""
    identity: Identity | None = None

    @property
    def resources(self) -> Resources:
        """The resources of activities. Raises SettingsError if the settings can't be used."""
        return self.host.resources


@dataclass(frozen=True, slots=True)
class DocumentedAnswer:
    """One possible answer, for the OpenAPI document. Problem documents of refused requests are added to it."""

    description: str
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint. `name` is the name of its function; `body`, `query` and `path` are `msgspec.Struct` types."""

    name: str
    method: Literal["GET", "POST", "DELETE"]
    route: str
    summary: str
    handle: Callable[[Call[Any, Any, Any]], Awaitable[Reply]]
    answers: Mapping[int, DocumentedAnswer]
    body: type[Any] | None = None
    query: type[Any] = Nothing
    path: type[Any] = Nothing
    anonymous: bool = False
    also_head: bool = False
    """Whether it answers HEAD as it does GET, without the content: probes of routers ask so."""


def register_endpoints(blueprint: df.Blueprint, host: FunctionsHost, endpoints: Sequence[Endpoint]) -> None:
    """Register endpoints as functions of a blueprint, behind a function key unless they are anonymous."""
    for endpoint in endpoints:
        level = func.AuthLevel.ANONYMOUS if endpoint.anonymous else func.AuthLevel.FUNCTION
        function = blueprint.durable_client_input(client_name="client")(_function(endpoint, host))
        methods = [endpoint.method, "HEAD"] if endpoint.also_head else [endpoint.method]
        blueprint.route(route=endpoint.route, methods=methods, auth_level=level, trigger_arg_name="request")(function)


def _function(
    endpoint: Endpoint, host: FunctionsHost
) -> Callable[[func.HttpRequest, df.DurableFunctionsClient], Awaitable[func.HttpResponse]]:
    async def function(request: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
        try:
            reply = await endpoint.handle(_call(endpoint, host, request, client))
        except IndexvaultError as error:
            _LOG.info("%s: %s", endpoint.name, error)
            return _refusal(problem_of(error))
        except Exception:  # noqa: BLE001 - the last handler before the caller, who must not see internals
            _LOG.exception("%s failed unexpectedly", endpoint.name)
            return _refusal(unexpected())
        media_type = MEDIA_TYPE if isinstance(reply.content, Problem) else "application/json"
        return _response(reply.status, reply.content, media_type, reply.headers)

    function.__name__ = endpoint.name
    return function


def _call(
    endpoint: Endpoint, host: FunctionsHost, request: func.HttpRequest, client: df.DurableFunctionsClient
) -> Call[Any, Any, Any]:
    query = {name: value for name, value in request.params.items() if name not in _KEY_PARAMETERS}
    return Call(
        path=decode_members(request.route_params, endpoint.path, "path"),
        query=decode_members(query, endpoint.query, "query"),
        body=None if endpoint.body is None else decode_body(request.get_body(), endpoint.body),
        host=host,
        engine=DurableEngine(client),
        caller=caller_of(request.headers, request.params),
        identity=identity_of(request.headers, request.params, host.environment),
    )


def caller_of(headers: Mapping[str, str], parameters: Mapping[str, str]) -> str:
    """Return a name for whoever has the function key of a request: the beginning of the key's SHA-256.

    The header counts before the parameter, and of several the first, as for Azure Functions, so that nobody has two
    names by one key. The worker joins several by commas.
    """
    given = headers.get(_KEY_HEADER) or parameters.get("code") or ""
    key = given.partition(",")[0].strip()
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:_CALLER_DIGITS] if key else ""


def identity_of(
    headers: Mapping[str, str], parameters: Mapping[str, str], environment: Mapping[str, str]
) -> Identity | None:
    """Return who asks: a signed-in principal, else the holder of a function key, None if neither is known.

    The platform sets the headers of the principal and lets no caller set them, but only where its authentication is
    on: elsewhere anybody could. Source: Work with user identities in Azure App Service authentication, 2026-09.
    """
    if environment.get(_AUTHENTICATION, "").strip().lower() == "true":
        principal = headers.get(_PRINCIPAL_ID, "").strip()
        if principal:
            issuer = headers.get(_PRINCIPAL_ISSUER, "").strip()
            name = headers.get(_PRINCIPAL_NAME, "").strip() or principal
            return Identity("principal", f"{issuer}/{principal}"[:_IDENTITY_LENGTH], name[:_IDENTITY_LENGTH])
    caller = caller_of(headers, parameters)
    return Identity("key", caller, caller) if caller else None


def _refusal(problem: Problem) -> func.HttpResponse:
    headers = {"Retry-After": str(RETRY_SECONDS)} if problem.status in _TRY_AGAIN else {}
    return _response(problem.status, problem, MEDIA_TYPE, headers)


def _response(status: int, content: Any, media_type: str, headers: Mapping[str, str]) -> func.HttpResponse:
    return func.HttpResponse(
        msgspec.json.encode(content),
        status_code=status,
        mimetype=media_type,
        headers={"Cache-Control": "no-store", **headers},
    )
