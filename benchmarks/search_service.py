"""A search service in memory that answers just what backups, restores and comparisons ask.

    python -m benchmarks.search_service [--gzip]

It is correct within that: key ranges, counts, ranks, projections to the key, keys as facets, what a field says was
changed, look-ups, uploads and deletions stored by key, definitions with ETags, aliases, statistics. What it does not
know it refuses (501), so that no figure comes from a request that was misread. Documents go out as they came in, each
with its score first, as the service sends them; with --gzip compressed, as the service sends them to who accepts it.
"""

import itertools
import random
import re
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from isal import igzip

from benchmarks.corpora import CORPORA, KEY_FIELD, Corpus, changed_documents, documents, key_of
from benchmarks.http_server import CONTROL, Part, Reply, Request, json_reply, process_seconds, run
from benchmarks.served_index import ServedIndex

_SCORE = b'{"@search.score":1.0,'
_UPLOAD = b'{"@search.action":"upload","' + KEY_FIELD.encode() + b'":"'
_MOST_ACTIONS, _MOST_BYTES, _MOST_TOP, _MOST_SKIP = 1000, 16_000_000, 1000, 100_000
_FASTEST = 0
_LITERAL = r"'((?:[^']|'')*)'"
_FILTER = re.compile(rf"(?:{KEY_FIELD} gt {_LITERAL})?(?: and )?(?:{KEY_FIELD} le {_LITERAL})?")
_DOCUMENTS = re.compile(r"/indexes(?:\('([^']+)'\)|/([^/]+))/docs/(search\.post\.search|search|search\.index|index)")
_CHANGED = re.compile(r"changed (?:ge (\S+)|eq null)")
_FACET = re.compile(rf"{KEY_FIELD},count:(\d+),sort:value")
_STAMP = re.compile(rb'"changed":"[^"]*"')
_COUNT = re.compile(r"/indexes(?:\('([^']+)'\)|/([^/]+))/docs/\$count")
_DOCUMENT = re.compile(r"/indexes\('([^']+)'\)/docs\('([^']+)'\)")
_STATISTICS = re.compile(r"/indexes\('([^']+)'\)/(?:search\.)?stats")
_OBJECT = re.compile(r"/(indexes|aliases|synonymmaps)(?:\('([^']+)'\)|/([^/]+))")
_COLLECTIONS = frozenset(
    ("indexes", "aliases", "synonymmaps", "datasources", "indexers", "skillsets", "knowledgesources", "knowledgebases")
)
_READ_MEMBERS = frozenset(
    (
        *("search", "filter", "orderby", "select", "top", "skip", "count", "minimumCoverage", "sessionId"),
        *("searchMode", "queryType"),
    )
)
_QUOTAS = {
    "aliasesCount": 100,
    "documentCount": None,
    "indexesCount": 50,
    "indexersCount": 50,
    "dataSourcesCount": 50,
    "storageSize": 160 << 30,
    "synonymMaps": 5,
    "skillsetCount": 50,
    "vectorIndexSize": 35 << 30,
}
_LIMITS = {
    "maxStoragePerIndex": 160 << 30,
    "maxFieldsPerIndex": 1000,
    "maxFieldNestingDepthPerIndex": 10,
    "maxComplexCollectionFieldsPerIndex": 40,
    "maxComplexObjectsInCollectionsPerDocument": 3000,
}


class _Action(msgspec.Struct):
    key: str = msgspec.field(name=KEY_FIELD)
    kind: str = msgspec.field(name="@search.action", default="upload")


class _Batch(msgspec.Struct):
    value: list[msgspec.Raw]


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class SearchService:
    """The service. `handle` answers a request; with `compresses`, documents go out compressed."""

    def __init__(self, *, compresses: bool = False) -> None:
        self._compresses = compresses
        self._indexes: dict[str, ServedIndex] = {}
        self._definitions: dict[str, dict[str, dict[str, Any]]] = {"indexes": {}, "aliases": {}, "synonymmaps": {}}
        self._etags = itertools.count(1)
        self._requests = Counter[str]()
        self._actions = msgspec.json.Decoder(_Action)
        self._batches = msgspec.json.Decoder(_Batch)

    def handle(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path.startswith(CONTROL):
            return self._control(request)
        try:
            return self._answer(request)
        except _RefusedError as error:
            return json_reply({"error": {"code": "", "message": str(error)}}, error.status)

    def _answer(self, request: Request) -> Reply:
        if found := _DOCUMENTS.fullmatch(request.path):
            index = self._index(found[1] or found[2])
            writes = found[3].endswith("index")
            self._requests["index documents" if writes else "search"] += 1
            return (
                self._write(index, request.body)
                if writes
                else self._compressed(request, self._search(index, request.body))
            )
        self._requests["other"] += 1
        if found := _DOCUMENT.fullmatch(request.path):
            document = self._index(found[1]).get(found[2])
            return Reply(404) if document is None else Reply(200, (b"{" + document[len(_SCORE) :],))
        if found := _OBJECT.fullmatch(request.path):
            return self._definition(request, found[1], found[2] or found[3])
        return self._numbers(request) or self._collection(request)

    def _numbers(self, request: Request) -> Reply | None:
        """Answer a request for a count or for statistics."""
        if found := _COUNT.fullmatch(request.path):
            return Reply(200, (str(self._index(found[1] or found[2]).count()).encode(),), content_type="text/plain")
        if found := _STATISTICS.fullmatch(request.path):
            index = self._index(found[1])
            return json_reply({"documentCount": index.count(), "storageSize": index.size(), "vectorIndexSize": 0})
        if request.path == "/servicestats":
            return json_reply({"counters": self._counters(), "limits": _LIMITS})
        return None

    def _collection(self, request: Request) -> Reply:
        kind = request.path.removeprefix("/")
        if kind in _COLLECTIONS and request.method == "GET":
            return json_reply({"value": list(self._definitions.get(kind, {}).values())})
        if kind in self._definitions and request.method == "POST":
            body = msgspec.json.decode(request.body)
            return self._put(kind, body["name"], body, 201)
        raise _RefusedError(501, f"the benchmark's service has no {request.method} {request.path}")

    def _index(self, name: str) -> ServedIndex:
        if name not in self._indexes:
            raise _RefusedError(404, f"No index with the name '{name}' was found.")
        return self._indexes[name]

    def _search(self, index: ServedIndex, body: bytes) -> Reply:
        query = msgspec.json.decode(body)
        if (by_changes := _CHANGED.fullmatch(query.get("filter") or "")) is not None:
            return _changed(index, query, by_changes[1])
        facets = query.pop("facets", None)
        after, until = _bounds(query)
        if facets is not None:
            return _faceted(index, query, facets, after, until)
        top, skip = min(query.get("top", 50), _MOST_TOP), query.get("skip") or 0
        if skip > _MOST_SKIP:
            raise _RefusedError(400, "Value must be between 0 and 100000. Parameter name: $skip")
        head = b'{"@search.coverage":100.0,' if query.get("minimumCoverage") else b"{"
        if query.get("count"):
            head += b'"@odata.count":%d,' % index.count(after, until)
        parts: list[Part] = [head, b'"value":[']
        if query.get("select") == KEY_FIELD:
            keys = itertools.islice(index.keys(after, until, skip), top)
            parts.append(",".join(f'{{"@search.score":1.0,"{KEY_FIELD}":"{key}"}}' for key in keys).encode())
        else:
            for position, documents_of_block in enumerate(index.page(after, until, skip, top)):
                parts += (b",", documents_of_block) if position else (documents_of_block,)
        more = b""
        if "top" not in query and index.count(after, until) > skip + top:
            following = query | {"skip": skip + top}
            more = b',"@search.nextPageParameters":' + msgspec.json.encode(following)
        parts.append(b"]" + more + b"}")
        return Reply(200, parts)

    def _compressed(self, request: Request, reply: Reply) -> Reply:
        if not self._compresses or "gzip" not in request.headers.get("accept-encoding", ""):
            return reply
        data = igzip.compress(b"".join(reply.parts), _FASTEST)
        return Reply(reply.status, (data,), {"Content-Encoding": "gzip"})

    def _write(self, index: ServedIndex, body: bytes) -> Reply:
        actions = self._batches.decode(body).value
        if len(actions) > _MOST_ACTIONS or len(body) > _MOST_BYTES:
            raise _RefusedError(413, f"a batch of {len(actions)} actions and {len(body)} bytes")
        results = []
        for action in actions:
            raw = bytes(action)
            key, document = self._read_action(raw)
            was_there = index.put(key, document)
            status = 200 if was_there or document is None else 201
            results.append(f'{{"key":"{key}","status":true,"errorMessage":null,"statusCode":{status}}}')
        return Reply(200, (b'{"value":[', ",".join(results).encode(), b"]}"))

    def _read_action(self, raw: bytes) -> tuple[str, bytes | None]:
        """Return the key and the document, None to delete it."""
        if raw.startswith(_UPLOAD):  # as indexvault writes it
            key = raw[len(_UPLOAD) : raw.index(b'"', len(_UPLOAD))].decode()
            return key, _SCORE + raw[raw.index(b",") + 1 :]
        action = self._actions.decode(raw)
        if action.kind == "delete":
            return action.key, None
        if action.kind != "upload":
            raise _RefusedError(501, f"the benchmark's service has no action {action.kind!r}")
        members = {name: value for name, value in msgspec.json.decode(raw).items() if not name.startswith("@search.")}
        return action.key, _SCORE + msgspec.json.encode(members)[1:]

    def _definition(self, request: Request, kind: str, name: str) -> Reply:
        present = self._definitions[kind].get(name)
        if request.method == "GET":
            return Reply(404) if present is None else json_reply(present)
        etag = present["@odata.etag"] if present else None
        wanted = request.headers.get("if-match")
        if (wanted is not None and wanted.removeprefix("W/") != etag) or (
            request.headers.get("if-none-match") == "*" and present
        ):
            raise _RefusedError(412, "The precondition given in one of the request headers evaluated to false.")
        if request.method == "PUT":
            return self._put(kind, name, msgspec.json.decode(request.body), 200 if present else 201)
        if request.method == "DELETE":
            self._definitions[kind].pop(name, None)
            if kind == "indexes":
                self._indexes.pop(name, None)
            return Reply(204 if present else 404)
        raise _RefusedError(501, f"the benchmark's service has no {request.method} {request.path}")

    def _put(self, kind: str, name: str, body: dict[str, Any], status: int) -> Reply:
        if kind == "indexes" and not body.get("fields"):
            raise _RefusedError(400, "index : The index must have a name and at least one field.")
        etag = f'"0x{next(self._etags):016X}"'
        stored = {"@odata.etag": etag, **{member: value for member, value in body.items() if member[0] != "@"}}
        self._definitions[kind][name] = stored
        if kind == "indexes":
            self._indexes.setdefault(name, ServedIndex())
        return json_reply(stored, status, {"ETag": etag})

    def _counters(self) -> Mapping[str, object]:
        usage = {
            "documentCount": sum(index.count() for index in self._indexes.values()),
            "indexesCount": len(self._indexes),
            "aliasesCount": len(self._definitions["aliases"]),
            "synonymMaps": len(self._definitions["synonymmaps"]),
        }
        return {name: {"usage": usage.get(name, 0), "quota": quota} for name, quota in _QUOTAS.items()}

    def _control(self, request: Request) -> Reply:
        """Load or change a corpus, return a digest of an index, or what was done since the last time."""
        given = msgspec.json.decode(request.body) if request.body else {}
        match request.path.removeprefix(CONTROL):
            case "/load":
                corpus = CORPORA[given["corpus"]]
                self._put("indexes", given["index"], corpus.definition(given["index"]), 201)
                made = documents(corpus, given["bytes"], given["seed"])
                if stamp := given.get("stamp"):
                    self._put(
                        "indexes",
                        given["index"],
                        _stamped_definition(corpus, given["index"], facetable=given.get("facetable", False)),
                        201,
                    )
                    made = ((key, stamped(line, stamp)) for key, line in made)
                self._indexes[given["index"]] = ServedIndex((key, _SCORE + line[1:]) for key, line in made)
            case "/churn":
                index, corpus = self._index(given.pop("index")), CORPORA[given.pop("corpus")]
                return json_reply(_churn(index, corpus, **given))
            case "/change":
                index = self._index(given["index"])
                keys = list(index.keys())
                for key, line in changed_documents(CORPORA[given["corpus"]], keys, given["share"], given["seed"]):
                    index.put(key, _SCORE + line[1:])
            case "/digest":
                number, size, digest = self._index(given["index"]).digest()
                return json_reply({"documents": number, "bytes": size - number * (len(_SCORE) - 1), "sha256": digest})
            case "":
                found = {"cpu": process_seconds(), "requests": dict(self._requests)}
                self._requests.clear()
                return json_reply(found)
            case other:
                raise ValueError(other)
        return json_reply({})


def stamped(line: bytes, moment: str) -> bytes:
    """Return a document that says when it was written."""
    text = b'"changed":"' + moment.encode() + b'"'
    if b'"changed":"' in line:
        return _STAMP.sub(text, line, count=1)
    return line[:-1] + b"," + text + b"}"


def _stamped_definition(corpus: Corpus, index: str, *, facetable: bool) -> dict[str, Any]:
    definition = corpus.definition(index)
    fields = [field for field in definition["fields"] if field["name"] != "changed"]
    fields[0] = fields[0] | {"facetable": facetable}
    fields.append({"name": "changed", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True})
    return definition | {"fields": fields}


def _churn(
    index: ServedIndex, corpus: Corpus, *, changed: int, deleted: int, added: int, seed: int, stamp: str
) -> dict[str, int]:
    """Change, delete and add so many documents at random keys; what is written says when, up to `stamp`."""
    keys = list(index.keys())
    rng = random.Random(f"churn {seed}")  # noqa: S311 - repeatable data, not secrets
    write = corpus.writer(rng)
    some = rng.sample(keys, changed + deleted)
    last = datetime.fromisoformat(stamp)
    written = [*some[:changed], *(key_of(10**8 + 1000 * seed + number) for number in range(added))]
    for number, key in enumerate(written):
        moment = last - timedelta(milliseconds=len(written) - number)
        index.put(key, _SCORE + stamped(write(key), f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z")[1:])
    for key in some[changed:]:
        index.put(key, None)
    return {"documents": index.count()}


def _changed(index: ServedIndex, query: dict[str, Any], low: str | None) -> Reply:
    """Answer a query by the field of the last change: from a time on, or without a value, which no document is."""
    keys = index.since(low.encode()) if low is not None else []
    if query.get("orderby") not in {None, "changed asc"} or query.get("skip"):
        raise _RefusedError(501, f"the benchmark's service has no query {query}")
    head = b'{"@search.coverage":100.0,"@odata.count":%d,"value":[' % len(keys)
    found = [document for key in keys[: min(query.get("top", 50), _MOST_TOP)] if (document := index.get(key))]
    return Reply(200, (head, b",".join(found), b"]}"))


def _faceted(
    index: ServedIndex, query: dict[str, Any], facets: list[str], after: str | None, until: str | None
) -> Reply:
    """Answer a query for the keys of a range as facets."""
    found = [_FACET.fullmatch(facet) for facet in facets]
    if len(found) != 1 or found[0] is None or query.get("top"):
        raise _RefusedError(501, f"the benchmark's service has no facets {facets}")
    keys = itertools.islice(index.keys(after, until), int(found[0][1]))
    head = b'{"@search.coverage":100.0,"@odata.count":%d,"@search.facets":{"' % index.count(after, until)
    listed = ",".join(f'{{"count":1,"value":"{key}"}}' for key in keys).encode()
    return Reply(200, (head, KEY_FIELD.encode(), b'":[', listed, b']},"value":[]}'))


def _bounds(query: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the key range of a query. Raises _RefusedError for any other query."""
    found = _FILTER.fullmatch(query.get("filter") or "")
    unknown = query.keys() - _READ_MEMBERS
    if (
        found is None
        or unknown
        or query.get("orderby") not in {None, f"{KEY_FIELD} asc"}
        or query.get("select") not in {None, KEY_FIELD}
        or query.get("search") not in {None, "*"}
    ):
        raise _RefusedError(501, f"the benchmark's service has no query {query}")
    after, until = (value and value.replace("''", "'") for value in found.groups())
    return after, until


if __name__ == "__main__":
    run(SearchService(compresses="--gzip" in sys.argv).handle)
