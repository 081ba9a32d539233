"""Operations on the documents of one index."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from zlib import crc32

import msgspec
import orjson

from emulator import query_requests, suggestions
from emulator.access import Permission, forbidden
from emulator.exchange import Asked, Reply, json_reply, lag_of, object_of, with_context
from emulator.failures import ServiceError
from emulator.faults import Request as FaultRequest
from emulator.index import Index
from emulator.indexing import decide
from emulator.query_requests import Query
from emulator.searching import SHUFFLE, Circumstances, bound_filter, look_up, search
from emulator.service import Service
from emulator.storage import Selection

_BOM = b"\xef\xbb\xbf"


def _index_statistics(service: Service, asked: Asked) -> Reply:
    index = service.index(asked.operation.resource)
    body: dict[str, Any] = {
        "documentCount": index.count(time.monotonic(), lag_of(asked, "lagging_count")),
        "storageSize": index.table.totals.size,
    }
    if asked.version.knows(("2023-11-01", "2023-10-01")):
        body["vectorIndexSize"] = index.table.totals.vectors
    return json_reply(with_context(body, f"Microsoft.Azure.Search.{asked.version.model()}.IndexStatistics", asked))


def _count(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    count = index.count(time.monotonic(), lag_of(asked, "lagging_count"))
    if index.protected and not service.setup.counts_protected:
        count = index.table.count(bound_filter(index, None, elevated=False))
    return Reply(200, _BOM + str(count).encode(), content_type="text/plain")


def _look_up(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    names = [name.strip() for name in (asked.parameter("select") or "").split(",") if name.strip()]
    body = look_up(index, asked.operation.key, names)
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
        shuffle=service.random.randrange(1, SHUFFLE) if "shuffled_ties" in asked.faults else None,
    )


def _coverage(asked: Asked, query: Query) -> float:
    """Return the coverage of the answer in percent; refuse the request if it demands more."""
    if "coverage" not in asked.faults:
        return 100.0
    percent = asked.faults["coverage"].percent
    wanted = query.minimum_coverage
    if wanted is not None and percent < wanted:
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
    kept = {name: values for name, values in asked.parameters.items() if name.removeprefix("$") not in {"skip", "top"}}
    kept["$skip"] = [str(following["skip"])]
    if query.top is not None:
        kept["$top"] = [str(following["top"])]
    pairs = [f"{name}={quote(value)}" for name, values in kept.items() for value in values]
    return f"{asked.root}{asked.path}?{'&'.join(pairs)}"


def _index_documents(service: Service, asked: Asked) -> Reply:
    index = _readable(service, asked)
    reader = service.readers[index.definition["name"]]
    unsafe = (asked.parameter("allowUnsafeKeys") or "").lower() == "true"
    actions = reader.actions(asked.body, unsafe_keys=unsafe)
    request = FaultRequest(asked.operation.name, asked.method, asked.path)
    outcome = decide(index, reader, actions, lambda key: service.faults.item_fault(request, key))
    created = sum(result.status_code == 201 for result in outcome.results)  # noqa: PLR2004  # the service's word for new
    service.check_room(created - len(outcome.deleted))
    kept = {key: document for key, document in outcome.upserts.items() if not service.faults.loses(request, key)}
    index.write(kept, outcome.deleted, time.monotonic(), lag_of(asked, "lagging_visibility"))
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
        request = object_of(asked)
    else:
        request = {name.removeprefix("$"): values[0] for name, values in asked.parameters.items()}
        if str(request.get("top")).isdecimal():
            request["top"] = int(request["top"])
    selection = bound_filter(index, request.get("filter"), elevated=False)
    return Reply(200, answer(index, request, selection))


def _analyze(service: Service, asked: Asked) -> Reply:
    service.index(asked.operation.resource)
    return Reply(200, suggestions.analyze(object_of(asked)))


def _readable(service: Service, asked: Asked) -> Index:
    """Return the index of a document operation; an index under Purview refuses keys."""
    index = service.index(asked.operation.resource)
    if index.definition["purviewEnabled"] and asked.caller.by_key:
        raise forbidden()
    return index


def _elevated(asked: Asked) -> bool:
    """Return whether a search may find protected documents: by POST only.

    Source: Query-time ACL and RBAC enforcement in Azure AI Search, 2025-12. That a GET passes the header over is an
    assumption.
    """
    if asked.headers.get("x-ms-enable-elevated-read", "").lower() != "true":
        return False
    if asked.method != "POST":
        return False
    asked.caller.require(Permission.READ_ELEVATED)
    return True


OPERATIONS: Mapping[str, Callable[[Service, Asked], Reply]] = {
    "search": _search,
    "suggest": _suggest,
    "autocomplete": _autocomplete,
    "index_documents": _index_documents,
    "count_documents": _count,
    "look_up": _look_up,
    "analyze_text": _analyze,
    "get_index_statistics": _index_statistics,
}
