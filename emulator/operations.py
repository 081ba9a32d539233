"""What each operation answers, given a service and a request that was read and allowed."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from zlib import crc32

import msgspec
import orjson

from emulator import query_requests, suggestions
from emulator.access import Caller, Permission, forbidden
from emulator.failures import ServiceError, invalid_request
from emulator.faults import Request as FaultRequest
from emulator.faults import Rule
from emulator.index import Index
from emulator.indexing import decide
from emulator.query_requests import Query
from emulator.routes import Operation
from emulator.searching import Circumstances, bound_filter, look_up, search
from emulator.service import Conditions, Service, Stored
from emulator.storage import Selection
from emulator.versions import SERVICE_KINDS, ApiVersion

_BOM = b"\xef\xbb\xbf"
_NO_BODY = b""


class Asked(msgspec.Struct, frozen=True):
    """A request, read."""

    operation: Operation
    method: str
    path: str
    root: str
    """The service's address, for links."""
    version: ApiVersion
    caller: Caller
    headers: Mapping[str, str]
    parameters: Mapping[str, list[str]]
    body: bytes
    faults: Mapping[str, Rule]

    def parameter(self, name: str) -> str | None:
        """Give the first value of a parameter, with or without OData's `$`."""
        values = self.parameters.get(name) or self.parameters.get(f"${name}")
        return values[0] if values else None

    @property
    def metadata(self) -> bool:
        """Whether `@odata.` members are wanted: not with `odata.metadata=none`."""
        return "odata.metadata=none" not in self.headers.get("Accept", "")

    @property
    def conditions(self) -> Conditions:
        """Give the request's ETag conditions."""
        return Conditions(self.headers.get("If-Match"), self.headers.get("If-None-Match"))


class Reply(msgspec.Struct, frozen=True):
    """An answer."""

    status: int = 200
    body: bytes = _NO_BODY
    headers: Mapping[str, str] = {}
    content_type: str | None = "application/json"


def perform(service: Service, asked: Asked) -> Reply:
    """Carry a request out."""
    asked.caller.require(asked.operation.permission)
    kind = asked.operation.kind
    if kind in SERVICE_KINDS and not asked.version.knows(SERVICE_KINDS[kind]):
        raise ServiceError(
            400,
            f"The resource '{kind}' is not supported by api-version '{asked.version.text}'.",
            code="InvalidApiVersion",
        )
    if asked.operation.name in _OPERATIONS:
        return _OPERATIONS[asked.operation.name](service, asked)
    verb = asked.operation.name.partition("_")[0]
    return _DEFINITION_VERBS[verb](service, asked)


def _list(service: Service, asked: Asked) -> Reply:
    kind = asked.operation.kind
    names = sorted(service.indexes if kind == "indexes" else service.resources[kind])
    chosen = asked.parameter("select")
    members = None if chosen in (None, "*") else [name.strip() for name in str(chosen).split(",")]
    values = []
    for name in names:
        stored = _stored(service, kind, name, asked.version)
        body = stored.body if members is None else {one: stored.body[one] for one in members if one in stored.body}
        values.append(_annotated(body, stored.etag, None, asked))
    context = {"@odata.context": f"{asked.root}/$metadata#{kind}"} if asked.metadata else {}
    return _json({**context, "value": values})


def _get(service: Service, asked: Asked) -> Reply:
    kind, name = asked.operation.kind, asked.operation.resource
    return _shown(_stored(service, kind, name, asked.version), asked)


def _create(service: Service, asked: Asked) -> Reply:
    kind = asked.operation.kind
    body = _object(asked)
    stored = (
        service.create_index(body, asked.version)
        if kind == "indexes"
        else service.create_resource(kind, body, asked.version)
    )
    return _shown(stored, asked, created=True)


def _put(service: Service, asked: Asked) -> Reply:
    kind, name = asked.operation.kind, asked.operation.resource
    body = _object(asked)
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
    body = service.statistics(asked.version, _lag(asked, "lagging_count"))
    return _json(_with_context(body, f"Microsoft.Azure.Search.{asked.version.model()}.ServiceStatistics", asked))


def _index_statistics(service: Service, asked: Asked) -> Reply:
    index = service.index(asked.operation.resource)
    body: dict[str, Any] = {
        "documentCount": index.count(time.monotonic(), _lag(asked, "lagging_count")),
        "storageSize": index.table.totals.size,
    }
    if asked.version.knows(("2023-11-01", "2023-10-01")):
        body["vectorIndexSize"] = index.table.totals.vectors
    return _json(_with_context(body, f"Microsoft.Azure.Search.{asked.version.model()}.IndexStatistics", asked))


def _count(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    count = index.count(time.monotonic(), _lag(asked, "lagging_count"))
    return Reply(200, _BOM + str(count).encode(), content_type="text/plain")


def _look_up(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    names = [name.strip() for name in (asked.parameter("select") or "").split(",") if name.strip()]
    body = look_up(index, asked.operation.key, names, elevated=_elevated(asked))
    if asked.metadata:
        context = orjson.dumps(f"{asked.root}/$metadata#indexes('{asked.operation.resource}')/$entity")
        body = b'{"@odata.context":' + context + b"," + body[1:]
    return Reply(200, body)


def _search(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    posted = asked.method == "POST"
    query = query_requests.from_body(asked.body) if posted else query_requests.from_parameters(asked.parameters)
    result = search(index, query, _circumstances(service, asked, query))
    head: dict[str, Any] = {}
    if asked.metadata:
        head["@odata.context"] = f"{asked.root}/$metadata#indexes('{asked.operation.resource}')/docs(*)"
    if result.count is not None:
        head["@odata.count"] = result.count
    if result.coverage is not None:
        head["@search.coverage"] = result.coverage
    if result.facets is not None:
        head["@search.facets"] = result.facets
    if result.next_page is not None and posted:
        head["@search.nextPageParameters"] = result.next_page
    opening = orjson.dumps(head)[:-1] + (b',"value":[' if head else b'"value":[')
    link = b"]"
    if result.next_page is not None:
        link = b'],"@odata.nextLink":' + orjson.dumps(_next_link(asked, query, result.next_page))
    return Reply(200, b"".join((opening, b",".join(result.rows), link, b"}")))


def _circumstances(service: Service, asked: Asked, query: Query) -> Circumstances:
    replicas = asked.faults["replicas"].replicas if "replicas" in asked.faults else service.setup.replicas
    replica = 0
    if replicas > 1:
        chosen = crc32(query.session.encode()) if query.session else service.random.randrange(replicas)
        replica = chosen % replicas
    return Circumstances(
        replica=replica,
        elevated=_elevated(asked),
        coverage=_coverage(asked, query),
        page=asked.faults["short_page"].documents if "short_page" in asked.faults else None,
    )


def _coverage(asked: Asked, query: Query) -> float:
    """Give how much of the index answers; less than the request's minimum is a failure."""
    if "coverage" not in asked.faults:
        return 100.0
    percent = asked.faults["coverage"].percent
    wanted = 100.0 if query.minimum_coverage is None else query.minimum_coverage
    if percent < wanted:
        raise ServiceError(
            503,
            "Failed to execute query because not enough resources were available to cover "
            f"{wanted:g}% of the index. You can reduce replica load, or lower minimumCoverage.",
        )
    return percent


def _next_link(asked: Asked, query: Query, following: dict[str, Any]) -> str:
    version = quote(asked.version.text)
    if asked.method == "POST":
        return f"{asked.root}{asked.path}?api-version={version}"
    pairs = {name: values[0] for name, values in asked.parameters.items() if name.lstrip("$") not in {"skip", "top"}}
    pairs["$skip"] = str(following["skip"])
    if query.top is not None:
        pairs["$top"] = str(following["top"])
    return f"{asked.root}{asked.path}?" + "&".join(f"{name}={quote(value)}" for name, value in pairs.items())


def _index_documents(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    reader = service.readers[index.definition["name"]]
    unsafe = (asked.parameter("allowUnsafeKeys") or "").lower() == "true"
    actions = reader.actions(asked.body, unsafe_keys=unsafe)
    request = FaultRequest(asked.operation.name, asked.method, asked.path)
    outcome = decide(index, reader, actions, lambda key: service.faults.item_status(request, key))
    service.check_room(index, sum(result.status_code == 201 for result in outcome.results))  # noqa: PLR2004  # created
    index.write(outcome.upserts, outcome.deleted, time.monotonic(), _lag(asked, "lagging_visibility"))
    status = 200 if all(result.status for result in outcome.results) else 207
    context = f'"@odata.context":"{asked.root}/$metadata#Collection(Microsoft.Azure.Search.IndexResult)",'
    opening = b"{" + (context.encode() if asked.metadata else b"") + b'"value":'
    return Reply(status, opening + msgspec.json.encode(outcome.results) + b"}")


def _suggest(service: Service, asked: Asked) -> Reply:
    return _from_suggester(service, asked, suggestions.suggest)


def _autocomplete(service: Service, asked: Asked) -> Reply:
    return _from_suggester(service, asked, suggestions.autocomplete)


def _from_suggester(
    service: Service, asked: Asked, answer: Callable[[Index, dict[str, Any], Selection], bytes]
) -> Reply:
    index = _readable(service, asked)
    if asked.method == "POST":
        request = _object(asked)
    else:
        request = {name.removeprefix("$"): values[0] for name, values in asked.parameters.items()}
        if "top" in request:
            request["top"] = int(request["top"])
    selection = bound_filter(index, request.get("filter"), elevated=_elevated(asked))
    return Reply(200, answer(index, request, selection))


def _analyze(service: Service, asked: Asked) -> Reply:
    service.index(asked.operation.resource)
    return Reply(200, suggestions.analyze(_object(asked)))


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
    return _json(
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
    return _json(
        {
            "kind": stored.body["kind"],
            "synchronizationStatus": "active",
            "synchronizationInterval": None,
            "currentSynchronizationState": None,
            "lastSynchronizationState": None,
            "statistics": None,
        }
    )


def _readable(service: Service, asked: Asked) -> Index:
    """Find the index of a document operation; one under Purview is closed to keys."""
    index = service.index(asked.operation.resource)
    if index.definition["purviewEnabled"] and asked.caller.by_key:
        raise forbidden()
    return index


def _elevated(asked: Asked) -> bool:
    if asked.headers.get("x-ms-enable-elevated-read", "").lower() != "true":
        return False
    asked.caller.require(Permission.READ_ELEVATED)
    return True


def _lag(asked: Asked, fault: str) -> float:
    return asked.faults[fault].seconds if fault in asked.faults else 0.0


def _stored(service: Service, kind: str, name: str, version: ApiVersion) -> Stored:
    return service.definition(name, version) if kind == "indexes" else service.resource(kind, name)


def _object(asked: Asked) -> dict[str, Any]:
    try:
        body = orjson.loads(asked.body)
    except orjson.JSONDecodeError as problem:
        raise invalid_request(f"Invalid JSON. {problem}.") from problem
    if not isinstance(body, dict):
        raise invalid_request("An object was expected.")
    return body


def _shown(stored: Stored, asked: Asked, *, created: bool = False) -> Reply:
    context = f"{asked.root}/$metadata#{asked.operation.kind}/$entity"
    headers = {"ETag": f"W/{stored.etag}"}
    if created:
        name = quote(str(stored.body["name"]))
        headers["Location"] = f"{asked.root}/{asked.operation.kind}('{name}')?api-version={asked.version.text}"
    return _json(_annotated(stored.body, stored.etag, context, asked), 201 if created else 200, headers)


def _annotated(body: dict[str, Any], etag: str, context: str | None, asked: Asked) -> dict[str, Any]:
    """Add the `@odata.` members of a definition, or take all of them out."""
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


def _with_context(body: dict[str, Any], model: str, asked: Asked) -> dict[str, Any]:
    return {"@odata.context": f"{asked.root}/$metadata#{model}", **body} if asked.metadata else body


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, orjson.dumps(body), headers or {})


_DEFINITION_VERBS: Mapping[str, Callable[[Service, Asked], Reply]] = {
    "list": _list,
    "get": _get,
    "create": _create,
    "put": _put,
    "delete": _delete,
}
_OPERATIONS: Mapping[str, Callable[[Service, Asked], Reply]] = {
    "search": _search,
    "suggest": _suggest,
    "autocomplete": _autocomplete,
    "index_documents": _index_documents,
    "count_documents": _count,
    "look_up": _look_up,
    "analyze_text": _analyze,
    "get_index_statistics": _index_statistics,
    "get_service_statistics": _service_statistics,
    "run_indexer": _run_indexer,
    "reset_indexer": _reset_indexer,
    "get_indexer_status": _indexer_status,
    "get_knowledge_source_status": _knowledge_source_status,
}
