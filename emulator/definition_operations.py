"""Operations on definitions, and service statistics."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from emulator.exchange import Asked, Reply, json_reply, lag_of, object_of, with_context
from emulator.listing import page_of
from emulator.service import Service, Stored
from emulator.versions import ApiVersion


def _list(service: Service, asked: Asked) -> Reply:
    kind = asked.operation.kind
    names = sorted(service.indexes if kind == "indexes" else service.resources[kind])
    page = page_of(names, kind, asked.version, asked.parameters)
    chosen = asked.parameter("select")
    members = None if chosen in (None, "*") else [name.strip() for name in str(chosen).split(",")]
    values = []
    for name in page.names:
        stored = _stored(service, kind, name, asked.version)
        body = stored.body if members is None else {one: stored.body[one] for one in members if one in stored.body}
        values.append(_annotated(body, stored.etag, None, asked))
    head: dict[str, Any] = {"@odata.context": f"{asked.root}/$metadata#{kind}"} if asked.metadata else {}
    if page.count is not None:
        head["@odata.count"] = page.count
    link = {} if page.following is None else {"@odata.nextLink": f"{asked.root}/{kind}?{page.following}"}
    return json_reply({**head, "value": values, **link})


def _get(service: Service, asked: Asked) -> Reply:
    kind, name = asked.operation.kind, asked.operation.resource
    return _shown(_stored(service, kind, name, asked.version), asked)


def _create(service: Service, asked: Asked) -> Reply:
    kind = asked.operation.kind
    body = object_of(asked)
    stored = (
        service.create_index(body, asked.version)
        if kind == "indexes"
        else service.create_resource(kind, body, asked.version)
    )
    return _shown(stored, asked, created=True)


def _put(service: Service, asked: Asked) -> Reply:
    kind, name = asked.operation.kind, asked.operation.resource
    body = object_of(asked)
    if kind == "indexes":
        downtime = (asked.parameter("allowIndexDowntime") or "").lower() == "true"
        stored, created = service.put_index(name, body, asked.version, asked.conditions, downtime_allowed=downtime)
    else:
        stored, created = service.put_resource(kind, name, body, asked.version, asked.conditions)
    if not created and "return=representation" not in asked.headers.get("Prefer", ""):
        return Reply(204, headers={"ETag": f"W/{stored.etag}"}, content_type=None)
    return _shown(stored, asked, created=created)


def _delete(service: Service, asked: Asked) -> Reply:
    kind, name = asked.operation.kind, asked.operation.resource
    if kind == "indexes":
        service.delete_index(name, asked.conditions)
    else:
        service.delete_resource(kind, name, asked.conditions)
    return Reply(204, content_type=None)


def _service_statistics(service: Service, asked: Asked) -> Reply:
    body = service.statistics(asked.version, lag_of(asked, "lagging_count"))
    return json_reply(with_context(body, f"Microsoft.Azure.Search.{asked.version.model()}.ServiceStatistics", asked))


def _run_indexer(service: Service, asked: Asked) -> Reply:
    service.resource("indexers", asked.operation.resource)
    service.indexer_results[asked.operation.resource] = "transientFailure"
    return Reply(202, content_type=None)


def _reset_indexer(service: Service, asked: Asked) -> Reply:
    service.resource("indexers", asked.operation.resource)
    service.indexer_results[asked.operation.resource] = "reset"
    return Reply(204, content_type=None)


def _indexer_status(service: Service, asked: Asked) -> Reply:
    name = asked.operation.resource
    service.resource("indexers", name)
    result = service.indexer_results.get(name)
    last: dict[str, Any] | None = None
    if result is not None:
        message = None if result == "reset" else "The emulator keeps indexers but does not run them."
        last = {
            "status": result,
            "errorMessage": message,
            "startTime": None,
            "endTime": None,
            "itemsProcessed": 0,
            "itemsFailed": 0,
            "initialTrackingState": None,
            "finalTrackingState": None,
            "errors": [],
            "warnings": [],
        }
    return json_reply(
        {
            "name": name,
            "status": "running",
            "lastResult": last,
            "executionHistory": [last] if last else [],
            "limits": {
                "maxRunTime": "PT2H",
                "maxDocumentExtractionSize": 0,
                "maxDocumentContentCharactersToExtract": 0,
            },
        }
    )


def _knowledge_source_status(service: Service, asked: Asked) -> Reply:
    stored = service.resource("knowledgesources", asked.operation.resource)
    return json_reply(
        {
            "kind": stored.body["kind"],
            "synchronizationStatus": "active",
            "synchronizationInterval": None,
            "currentSynchronizationState": None,
            "lastSynchronizationState": None,
            "statistics": None,
        }
    )


def _stored(service: Service, kind: str, name: str, version: ApiVersion) -> Stored:
    return service.definition(name, version) if kind == "indexes" else service.resource(kind, name)


def _shown(stored: Stored, asked: Asked, *, created: bool = False) -> Reply:
    context = f"{asked.root}/$metadata#{asked.operation.kind}/$entity"
    headers = {"ETag": f"W/{stored.etag}"}
    if created:
        name = quote(str(stored.body["name"]))
        headers["Location"] = f"{asked.root}/{asked.operation.kind}('{name}')?api-version={asked.version.text}"
    return json_reply(_annotated(stored.body, stored.etag, context, asked), 201 if created else 200, headers)


def _annotated(body: dict[str, Any], etag: str, context: str | None, asked: Asked) -> dict[str, Any]:
    """Add the `@odata.` members of a definition, or remove them all."""
    if not asked.metadata:
        return dict(_without_annotations(body))
    head = {} if context is None else {"@odata.context": context}
    return {**head, "@odata.etag": etag, **body}


def _without_annotations(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_annotations(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _without_annotations(item) for name, item in value.items() if not name.startswith("@odata.")}


VERBS: Mapping[str, Callable[[Service, Asked], Reply]] = {
    "list": _list,
    "get": _get,
    "create": _create,
    "put": _put,
    "delete": _delete,
}
"""For every kind of definition, by the first word of the operation's name."""

OPERATIONS: Mapping[str, Callable[[Service, Asked], Reply]] = {
    "get_service_statistics": _service_statistics,
    "run_indexer": _run_indexer,
    "reset_indexer": _reset_indexer,
    "get_indexer_status": _indexer_status,
    "get_knowledge_source_status": _knowledge_source_status,
}
