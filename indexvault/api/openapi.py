"""The OpenAPI document, made from the types that validate requests."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from indexvault.api.endpoint import PREFIX, Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.problems import MEDIA_TYPE, Problem
from indexvault.version import VERSION

_REFERENCE = "#/components/schemas/{name}"
_STARTED, _TOO_MANY_RUNS = 202, 429
_ALWAYS = {500: "The app's settings can't be used, or something unexpected happened."}
_WITH_KEY = {401: "The function key is missing or wrong."}
_WITH_MEMBERS = {422: "A member is not as this document says; the problem names it."}
_WITH_BODY = {400: "The body is not JSON.", 413: "The body is over 1 MB."}
_TOO_MANY = DocumentedAnswer(
    "So many runs are unfinished, of this function key or in all, that no other is taken.",
    Problem,
    {"Retry-After": "Seconds to wait before asking again."},
)
_REMOTE = {
    404: "No such service, index, snapshot or run.",
    409: "Another run has locked an index, or the target exists.",
    502: "A service or store refused the app.",
    503: "A service or store does not answer.",
}


def openapi_endpoint(others: Sequence[Endpoint]) -> Endpoint:
    """Return the endpoint that serves the document of all endpoints, itself included."""

    async def openapi(_call: Call[None, Nothing, Nothing]) -> Reply:
        return Reply(200, document)

    endpoint = Endpoint(
        name="openapi",
        method="GET",
        route="openapi.json",
        summary="This document",
        handle=openapi,
        answers={200: DocumentedAnswer("OpenAPI 3.1.", dict[str, Any])},
    )
    document = describe([*others, endpoint])
    return endpoint


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of endpoints."""
    types = {Problem: None} | {kind: None for endpoint in endpoints for kind in _types_of(endpoint)}
    schemas, components = msgspec.json.schema_components(list(types), ref_template=_REFERENCE)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schema_of, components)
        paths.setdefault(f"{PREFIX}/{endpoint.route}", {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "indexvault", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"function_key": {"type": "apiKey", "in": "header", "name": "x-functions-key"}},
        },
    }


def _types_of(endpoint: Endpoint) -> list[Any]:
    answers = [answer.content for answer in endpoint.answers.values() if answer.content is not None]
    return [*answers, endpoint.query, endpoint.path, *([] if endpoint.body is None else [endpoint.body])]


def _operation(endpoint: Endpoint, schema_of: Mapping[Any, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [
            *_parameters(endpoint.path, "path", components),
            *_parameters(endpoint.query, "query", components),
        ],
        "security": [] if endpoint.anonymous else [{"function_key": []}],
        "responses": {str(status): _described(answer, schema_of) for status, answer in _answers(endpoint).items()},
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[endpoint.body]}},
        }
    return operation


def _answers(endpoint: Endpoint) -> dict[int, DocumentedAnswer]:
    """Return an endpoint's own answers and the refusals that its kind can give."""
    refusals = dict(_ALWAYS)
    if not endpoint.anonymous:
        refusals |= _WITH_KEY | _REMOTE
    refusals |= _WITH_MEMBERS
    if endpoint.body is not None:
        refusals |= _WITH_BODY
    problems = {
        # Azure Functions itself refuses a missing key, with an empty body.
        status: DocumentedAnswer(description, None if status in _WITH_KEY else Problem)
        for status, description in refusals.items()
    }
    if _STARTED in endpoint.answers:
        problems[_TOO_MANY_RUNS] = _TOO_MANY
    return dict(sorted((problems | dict(endpoint.answers)).items()))


def _described(answer: DocumentedAnswer, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.content is not None:
        media_type = MEDIA_TYPE if answer.content is Problem else "application/json"
        described["content"] = {media_type: {"schema": schema_of[answer.content]}}
    if answer.headers:
        described["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in answer.headers.items()
        }
    return described


def _parameters(kind: type[Any], where: str, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = components[kind.__name__]
    return [
        {"name": name, "in": where, "required": name in schema.get("required", []), "schema": of}
        for name, of in schema["properties"].items()
    ]
