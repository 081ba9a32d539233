"""Each fact about the service that the project stands on, over HTTP; a case's name is the fact's own line."""

import inspect
import json
from collections.abc import Awaitable, Callable

import pytest

from tests.emulator.calls import PREVIEW, Caller, plain, things

type Check = Callable[..., Awaitable[None]]
"""Takes `east`, a standard service, or `small`, a basic one with small quotas, or both; they are empty."""

FACTS: dict[str, Check] = {}


def fact(line: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        assert line not in FACTS
        FACTS[line] = check
        return check

    return register


def numbered(count: int) -> list[dict[str, object]]:
    return [{"id": f"k{at:04d}", "small": at} for at in range(count)]


async def filled(east: Caller, count: int) -> None:
    assert (await east.create(things())).status == 201
    for start in range(0, count, 1000):
        assert (await east.upload(numbered(count)[start : start + 1000])).status == 200


@fact("`none` drops `@odata.type`")
async def _(east: Caller) -> None:
    await east.create(things())
    for metadata, there in (("minimal", True), ("none", False)):
        accept = {"Accept": f"application/json;odata.metadata={metadata}"}
        body = (await east.call("GET", "/indexes/things", headers=accept)).body
        assert ("@odata.type" in body["similarity"]) is there
        assert ("@odata.etag" in body) is there


@fact("A pinned api-version can hide properties of a newer one")
async def _(east: Caller) -> None:
    assert (await east.create(things(permissionFilterOption="enabled", description="d"))).status == 201
    stable = (await east.call("GET", "/indexes/things")).body
    preview = (await east.call("GET", "/indexes/things", version=PREVIEW)).body
    older = (await east.call("GET", "/indexes/things", version="2024-07-01")).body
    assert preview["permissionFilterOption"] == "enabled"
    assert "permissionFilterOption" not in stable
    assert "permissionFilter" not in stable["fields"][0]
    assert "permissionFilter" in preview["fields"][0]
    assert stable["description"] == "d"
    assert "description" not in older
    put = await east.call("PUT", "/indexes/things", stable, headers={"Prefer": "return=representation"})
    assert put.status == 200
    assert (await east.call("GET", "/indexes/things", version=PREVIEW)).body["permissionFilterOption"] == "enabled"


@fact("URL forms seen on the wire: `GET /indexes('name')`, `GET /indexes/name`")
async def _(east: Caller) -> None:
    await filled(east, 2)
    for index in ("/indexes('things')", "/indexes/things", "/indexes(%27things%27)"):
        assert (await east.call("GET", index)).status == 200
        for verb in ("search.post.search", "search"):
            assert len((await east.call("POST", f"{index}/docs/{verb}", {"search": "*"})).documents) == 2
        for verb in ("search.index", "index"):
            assert (await east.call("POST", f"{index}/docs/{verb}", {"value": [{"id": "k0000"}]})).status == 200
        for verb in ("search.stats", "stats"):
            assert (await east.call("GET", f"{index}/{verb}")).body["documentCount"] == 2
        for look_up in ("docs('k0001')", "docs/k0001"):
            assert (await east.call("GET", f"{index}/{look_up}")).body["id"] == "k0001"
    assert (await east.call("GET", "/servicestats")).status == 200


@fact("`GET /indexes('name')/docs/$count` (plain text, may begin with a BOM)")
async def _(east: Caller) -> None:
    await filled(east, 3)
    answer = await east.call("GET", "/indexes('things')/docs/$count")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.raw.decode("utf-8-sig") == "3"


@fact("Page: default 50, at most 1,000")
async def _(east: Caller) -> None:
    await filled(east, 1500)
    assert len((await east.search({"search": "*"})).documents) == 50
    assert len((await east.search({"search": "*", "top": 1500})).documents) == 1000


@fact("Without `top` the service gives 50 and `@search.nextPageParameters` (and `@odata.nextLink`) for the rest")
async def _(east: Caller) -> None:
    await filled(east, 60)
    first = (await east.search({"search": "*", "select": "id"})).body
    assert first["@search.nextPageParameters"] == {"search": "*", "select": "id", "skip": 50}
    assert first["@odata.nextLink"].startswith(f"{east.endpoint}/indexes/things/docs/search?api-version=")
    second = (await east.search(first["@search.nextPageParameters"])).body
    assert len(second["value"]) == 10
    assert "@odata.nextLink" not in second
    assert "@odata.nextLink" not in (await east.search({"search": "*", "top": 10})).body
    gotten = (await east.call("GET", "/indexes/things/docs?search=*&$filter=small%20ge%205")).body
    followed = await east.call("GET", gotten["@odata.nextLink"].removeprefix(east.endpoint), version=None)
    assert len(followed.documents) == 5


@fact("`$skip` at most 100,000: past it the request is refused")
async def _(east: Caller) -> None:
    await east.create(things())
    assert (await east.search({"search": "*", "skip": 100_000})).status == 200
    refused = await east.search({"search": "*", "skip": 100_001})
    assert refused.status == 400
    assert refused.body["error"]["details"][0]["code"] == "ParameterValueOutOfRange"
    assert "between 0 and 100000" in refused.message


@fact("`@search.nextPageParameters` can also appear on a short page")
async def _(east: Caller) -> None:
    await filled(east, 30)
    await east.faults({"fault": "short_page", "documents": 7, "times": 1})
    short = (await east.search({"search": "*", "top": 20})).body
    assert len(short["value"]) == 7
    assert short["@search.nextPageParameters"] == {"search": "*", "skip": 7, "top": 13}
    assert len((await east.search({"search": "*", "top": 20})).documents) == 20


@fact("Ties order indeterminately; with several replicas they order differently per replica (`sessionId`)")
async def _(east: Caller) -> None:
    await filled(east, 30)
    await east.faults({"fault": "replicas", "replicas": 3})
    orders = set()
    for session in ("a", "b", "c", "d", "e", "f"):
        seen = {json.dumps((await east.search({"search": "*", "sessionId": session})).documents) for _ in range(3)}
        assert len(seen) == 1
        orders |= seen
    assert len(orders) > 1
    assert (await east.search({"search": "*", "sessionId": "_a"})).status == 400
    keyed = {json.dumps((await east.search({"search": "*", "orderby": "id"})).documents) for _ in range(6)}
    assert len(keyed) == 1


@fact("Key order with `key gt 'last'` (quotes doubled) does neither")
async def _(east: Caller) -> None:
    await filled(east, 25)
    seen: list[object] = []
    query: dict[str, object] = {"orderby": "id", "top": 10}
    for _ in range(4):  # three pages and an empty one
        seen += [document["id"] for document in (await east.search(query)).documents]
        query["filter"] = f"id gt '{seen[-1]}'"
    assert seen == [f"k{at:04d}" for at in range(25)]
    assert await east.count("name eq 'it''s'") == 0


@fact("`minimumCoverage` 100 and check `@search.coverage`: a partial answer is otherwise silent")
async def _(east: Caller) -> None:
    await filled(east, 1)
    assert "@search.coverage" not in (await east.search({"search": "*"})).body
    assert (await east.search({"search": "*", "minimumCoverage": 100})).body["@search.coverage"] == 100.0
    await east.faults({"fault": "coverage", "percent": 80})
    assert (await east.search({"search": "*", "minimumCoverage": 50})).body["@search.coverage"] == 80.0
    assert (await east.search({"search": "*", "minimumCoverage": 100})).status == 503
    await east.upload(numbered(100))
    partial = await east.search({"search": "*", "top": 1000, "count": True})
    assert partial.status == 200
    assert 0 < len(partial.documents) == partial.body["@odata.count"] < 100


@fact("`$count` and `/stats` lag by seconds to minutes")
async def _(east: Caller) -> None:
    await filled(east, 5)
    await east.faults({"fault": "lagging_count", "seconds": 3600})
    assert (await east.call("GET", "/indexes/things/docs/$count")).raw.decode("utf-8-sig") == "0"
    assert (await east.call("GET", "/indexes/things/stats")).body["documentCount"] == 0
    assert (await east.call("GET", "/servicestats")).body["counters"]["documentCount"]["usage"] == 0
    assert len((await east.search({"search": "*"})).documents) == 5


@fact("Nulls sort first ascending and fail every range filter: a partition by any field but the key needs an `eq null`")
async def _(east: Caller) -> None:
    await east.create(things())
    await east.upload([{"id": "a", "small": 1}, {"id": "b"}, {"id": "c", "small": -1}])
    for order, keys in (("small", ["b", "c", "a"]), ("small desc", ["a", "c", "b"])):
        assert [one["id"] for one in (await east.search({"orderby": order})).documents] == keys
    assert await east.count("small lt 0 or small ge 0") == 2
    assert await east.count("small eq null") == 1
    assert await east.count("not (small lt 0)") == 2


@fact("String order is ordinal, upper case before lower")
async def _(east: Caller) -> None:
    await east.create(things())
    await east.upload([{"id": key} for key in ("a", "B", "b", "A", "0", "-", "=")])
    answer = await east.search({"orderby": "id"})
    assert "".join(str(one["id"]) for one in answer.documents) == "-0=ABab"
    assert await east.count("id gt 'Z'") == 2


@fact("`search.in` counts as one filter clause; other clauses: hundreds at most")
async def _(east: Caller) -> None:
    await filled(east, 1)
    keys = ",".join(f"k{at:04d}" for at in range(5000))
    assert await east.count(f"search.in(id, '{keys}', ',')") == 1
    many = " or ".join(f"id eq '{at}'" for at in range(3000))
    assert (await east.search({"filter": many})).status == 400
    assert (await east.search({"filter": " or ".join(f"id eq '{at}'" for at in range(300))})).status == 200


@fact("Requests: 16 MB body; a GET's URL 8 KB")
async def _(east: Caller) -> None:
    await filled(east, 1)
    assert (await east.upload([{"id": "a", "text": "x" * (16 << 20)}])).status == 413
    assert (await east.upload([{"id": "a", "text": "x" * (15 << 20)}])).status == 200
    assert (await east.call("GET", f"/indexes/things/docs?search={'x' * 9000}")).status == 414


@fact("Documents come back with `@search.*` members first, then fields in schema order; nulls, `[]`, null complex")
async def _(east: Caller) -> None:
    await east.create(things())
    await east.upload([{"rate": 1, "name": "n", "id": "a"}])
    (document,) = (await east.search({"search": "*"})).body["value"]
    names = [field["name"] for field in things()["fields"]]
    assert list(document) == ["@search.score", *names]
    given = {"id": "a", "name": "n", "rate": 1.0, "tags": [], "rooms": []}
    assert document == {"@search.score": 1.0} | dict.fromkeys(names) | given
    found = await east.call("GET", "/indexes/things/docs/a")
    assert list(found.body) == names
    await east.upload([{"id": "a", "address": {}, "rooms": [{}]}])
    nested = (await east.call("GET", "/indexes/things/docs/a")).body
    assert nested["address"] == {"city": None, "lines": []}
    assert nested["rooms"] == [{"price": None, "beds": []}]


@fact("Values: Int64 and Double are JSON numbers; non-finite are `NaN`, `INF`, `-INF`")
async def _(east: Caller) -> None:
    await east.create(things())
    numbers = {"a": 2**63 - 1, "b": -(2**63)}
    await east.upload([{"id": key, "large": value} for key, value in numbers.items()])
    assert {one["id"]: one["large"] for one in (await east.search({})).documents} == numbers
    await east.upload([{"id": key, "rate": key} for key in ("NaN", "INF")] + [{"id": "m", "rate": "-INF"}])
    await east.upload([{"id": "x", "rate": 5}])
    raw = (await east.search({"filter": "rate ne null", "select": "rate", "orderby": "id"})).raw
    for text in (b'"INF"', b'"NaN"', b'"-INF"', b"5.0"):
        assert b'"rate":' + text in raw
    assert await east.count("rate eq INF") == 1
    assert await east.count("rate gt 0") == 2
    assert (await east.upload([{"id": "y", "large": 2**63}])).status == 400


@fact("DateTimeOffset is UTC with at most millisecond precision")
async def _(east: Caller) -> None:
    await east.create(things())
    dates = {
        "1970-01-18T00:00:00-05:00": "1970-01-18T05:00:00Z",
        "2020-01-01T00:00:00.1239999Z": "2020-01-01T00:00:00.123Z",
        "2020-01-01T00:00:00.500+00:00": "2020-01-01T00:00:00.5Z",
        "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z": "9999-12-31T23:59:59.999Z",
    }
    for given, shown in dates.items():
        assert (await east.upload([{"id": "a", "made": given}])).status == 200
        assert (await east.call("GET", "/indexes/things/docs/a")).body["made"] == shown
    assert await east.count("made eq 9999-12-31T23:59:59.999Z") == 1
    for wrong in ("2020-01-01T00:00:00", "2020-01-01", 5, "2020-13-01T00:00:00Z"):
        assert (await east.upload([{"id": "a", "made": wrong}])).status == 400


@fact("GeographyPoint is `{type, coordinates, crs}`")
async def _(east: Caller) -> None:
    await east.create(things())
    await east.upload([{"id": "a", "place": {"type": "Point", "coordinates": [180, -12.5]}}])
    raw = (await east.search({"search": "*", "select": "place"})).raw
    crs = b'"crs":{"type":"name","properties":{"name":"EPSG:4326"}}'
    assert b'"place":{"type":"Point","coordinates":[180.0,-12.5],' + crs + b"}" in raw
    assert (await east.upload([{"id": "a", "place": {"type": "Point", "coordinates": [181, 0]}}])).status == 400


@fact("Vectors: `Collection(Edm.Single|Half|Int16|SByte|Byte)`; `vectorEncoding: packedBit` packs 8 dimensions a byte")
async def _(east: Caller) -> None:
    kinds = {"Edm.Single": 0.5, "Edm.Half": 0.5, "Edm.Int16": 300, "Edm.SByte": -5, "Edm.Byte": 255}
    shape = {"dimensions": 16, "vectorSearchProfile": "profile", "retrievable": True}
    fields = [{"name": kind[4:], "type": f"Collection({kind})", **shape} for kind in kinds]
    fields[-1]["vectorEncoding"] = "packedBit"
    key = {"name": "id", "type": "Edm.String", "key": True}
    assert (await east.create(things(fields=[key, *fields]))).status == 201
    document = {"id": "a"} | {kind[4:]: [value] * 16 for kind, value in kinds.items()} | {"Byte": [255, 1]}
    assert (await east.upload([document])).status == 200
    assert (await east.call("GET", "/indexes/things/docs/a")).body == document
    assert (await east.upload([{"id": "a", "Byte": [1] * 16}])).status == 400
    assert (await east.upload([{"id": "a", "SByte": [128] * 16}])).status == 400
    assert (await east.call("GET", "/indexes/things/stats")).body["vectorIndexSize"] == 16 * (4 + 2 + 2 + 1) + 2


@fact("Keys: one top-level `Edm.String`, retrievable, case-sensitive, up to 1,024 characters, not starting with `_`")
async def _(east: Caller) -> None:
    await east.create(things())
    assert (await east.upload([{"id": "a"}, {"id": "A"}, {"id": "A" * 1024}, {"id": "a-_=9"}])).status == 200
    for wrong in ("", "_a", "a b", "a/b", "é", "A" * 1025, None, 5):
        answer = await east.upload([{"id": "good"}, {"id": wrong}])
        assert answer.status == 400, wrong
    assert (await east.upload([{"name": "no key"}])).message.endswith(
        "actions : 0: Document key cannot be missing or empty.\r\n"
    )
    assert await east.count() == 4
    for key in ({"type": "Edm.Int32"}, {"retrievable": False}, {"key": False}):
        assert (await east.create(plain("other", **key))).status == 400


@fact("`filterable` and `sortable` are optional and fixed when the field is made; REST defaults them to true")
async def _(east: Caller) -> None:
    await east.create(plain())
    key = (await east.call("GET", "/indexes/things")).body["fields"][0]
    assert key["filterable"] is key["sortable"] is key["retrievable"] is key["searchable"] is True
    await east.create(plain("closed", filterable=False, sortable=False))
    filtered = await east.search({"filter": "id gt 'a'"}, "closed")
    ordered = await east.search({"orderby": "id"}, "closed")
    assert "not a filterable field" in filtered.message
    assert "not a sortable field" in ordered.message
    assert (filtered.status, ordered.status) == (400, 400)
    assert (await east.call("PUT", "/indexes/closed", plain("closed"))).status == 400


@fact("A normalizer changes sort order")
async def _(east: Caller) -> None:
    await east.create(plain(normalizer="lowercase"))
    await east.upload([{"id": key} for key in ("b", "A", "a", "C")])
    keys = [one["id"] for one in (await east.search({"orderby": "id"})).documents]
    assert [str(key).lower() for key in keys] == ["a", "a", "b", "c"]
    assert await east.count("id eq 'a'") == 2


@fact("`retrievable: false`: not returned; on a non-vector field it can be switched on and off by `PUT`")
async def _(east: Caller) -> None:
    definition = plain()
    definition["fields"][1]["retrievable"] = False
    await east.create(definition)
    await east.upload([{"id": "a", "name": "hidden"}])
    assert (await east.search({"search": "*"})).documents == [{"id": "a"}]
    assert (await east.search({"search": "*", "select": "name"})).status == 400
    for shown in (True, False):
        definition["fields"][1]["retrievable"] = shown
        assert (await east.call("PUT", "/indexes/things", definition)).status == 204
        wanted = {"id": "a", "name": "hidden"} if shown else {"id": "a"}
        assert (await east.search({"search": "*"})).documents == [wanted]
        assert (await east.call("GET", "/indexes/things/docs/a")).body == wanted
    assert await east.count("name eq 'hidden'") == 1


@fact("It can sit on sub-fields of complex types")
async def _(east: Caller) -> None:
    definition = things()
    definition["fields"][10]["fields"][0]["retrievable"] = False
    definition["fields"][11]["fields"][1]["fields"][0]["retrievable"] = False
    await east.create(definition)
    rooms = [{"price": 1.0, "beds": [{"kind": "large"}]}]
    await east.upload([{"id": "a", "address": {"city": "Oslo", "lines": ["1"]}, "rooms": rooms}])
    document = (await east.call("GET", "/indexes/things/docs/a")).body
    assert document["address"] == {"lines": ["1"]}
    assert document["rooms"] == [{"price": 1.0, "beds": [{}]}]
    definition["fields"][10]["fields"][0]["retrievable"] = True
    definition["fields"][11]["fields"][1]["fields"][0]["retrievable"] = True
    await east.call("PUT", "/indexes/things", definition)
    document = (await east.search({"search": "*"})).documents[0]
    assert document["address"] == {"city": "Oslo", "lines": ["1"]}
    assert document["rooms"] == rooms


@fact("vectors default to `retrievable:false, stored:true`")
async def _(east: Caller) -> None:
    definition = things()
    del definition["fields"][12]["retrievable"]
    await east.create(definition)
    vector = (await east.call("GET", "/indexes/things")).body["fields"][12]
    assert (vector["retrievable"], vector["stored"]) == (False, True)
    await east.upload([{"id": "a", "vector": [1.0, 2.0, 3.0]}])
    assert "vector" not in (await east.call("GET", "/indexes/things/docs/a")).body
    definition["fields"][12]["retrievable"] = True
    await east.call("PUT", "/indexes/things", definition)
    assert (await east.call("GET", "/indexes/things/docs/a")).body["vector"] == [1.0, 2.0, 3.0]


@fact("`stored: false` on a vector: gone for good; no API returns it")
async def _(east: Caller) -> None:
    definition = things()
    definition["fields"][12] |= {"retrievable": False, "stored": False}
    await east.create(definition)
    await east.upload([{"id": "a", "vector": [1.0, 2.0, 3.0]}])
    assert "vector" not in (await east.call("GET", "/indexes/things/docs/a")).body
    definition["fields"][12]["retrievable"] = True
    assert (await east.call("PUT", "/indexes/things", definition)).status == 400
    assert (await east.call("GET", "/indexes/things/stats")).body["vectorIndexSize"] == 12


@fact("A `merge` on such a document that leaves the vector out DROPS it")
async def _(east: Caller) -> None:
    definition = things()
    definition["fields"][12] |= {"retrievable": False, "stored": False}
    await east.create(definition)
    await east.upload([{"id": "a", "vector": [1.0, 2.0, 3.0]}])
    await east.upload([{"@search.action": "merge", "id": "a", "name": "n"}])
    assert (await east.call("GET", "/indexes/things/stats")).body["vectorIndexSize"] == 0


@fact("`permissionFilterOption` enabled: protected documents are silently left out unless `x-ms-enable-elevated-read`")
async def _(east: Caller) -> None:
    definition = plain(permissionFilter=None)
    definition["fields"].append(
        {"name": "users", "type": "Collection(Edm.String)", "permissionFilter": "userIds", "retrievable": False}
    )
    definition["permissionFilterOption"] = "enabled"
    assert (await east.create(definition)).status == 201
    await east.upload(
        [
            {"id": "empty"},
            {"id": "mine", "users": ["me"]},
            {"id": "nobodys", "users": ["none"]},
            {"id": "ours", "users": ["all"]},
        ]
    )
    elevated = {"x-ms-enable-elevated-read": "true"}
    query = {"search": "*", "count": True, "orderby": "id"}
    assert [one["id"] for one in (await east.search(query)).documents] == ["ours"]
    everything = await east.search(query, headers=elevated)
    assert [one["id"] for one in everything.documents] == ["empty", "mine", "nobodys", "ours"]
    assert everything.body["@odata.count"] == 4
    assert (await east.call("GET", "/indexes/things/docs/mine")).status == 404
    assert (await east.call("GET", "/indexes/things/docs/mine", headers=elevated)).status == 404
    assert (await east.call("GET", "/indexes/things/docs?search=mine", headers=elevated)).body["value"] == []
    assert (await east.search(query, key="reader", headers=elevated)).status == 403
    assert len((await east.search(query, key="reader")).documents) == 1
    assert len((await east.search(query, key="loader", headers=elevated)).documents) == 4


@fact("`purviewEnabled`: RBAC only, never keys")
async def _(east: Caller) -> None:
    await east.create(plain() | {"purviewEnabled": True})
    assert (await east.search({"search": "*"})).status == 403
    bearer = {"Authorization": "Bearer reader"}
    assert (await east.search({"search": "*"}, key=None, headers=bearer)).status == 200


DATA_SOURCE: dict[str, object] = {
    "name": "source",
    "type": "azureblob",
    "credentials": {"connectionString": "secret"},
    "container": {"name": "c"},
}


@fact("Secrets: a data source's `connectionString` reads null; skill and vectorizer `apiKey` read `<redacted>`")
async def _(east: Caller) -> None:
    created = await east.call("POST", "/datasources", DATA_SOURCE)
    assert created.status == 201
    assert created.body["credentials"] == {"connectionString": None}
    assert (await east.call("GET", "/datasources/source")).body == created.body
    skill = {"@odata.type": "#Microsoft.Skills.Custom.WebApiSkill", "name": "s", "uri": "https://x", "apiKey": "secret"}
    skills = await east.call("POST", "/skillsets", {"name": "set", "skills": [skill]})
    assert skills.body["skills"][0]["apiKey"] == "<redacted>"
    definition = things()
    parameters = {"deploymentId": "d", "apiKey": "secret", "modelName": "m"}
    vectorizer = {"name": "v", "kind": "azureOpenAI", "azureOpenAIParameters": parameters}
    definition["vectorSearch"]["vectorizers"] = [vectorizer]
    index = await east.create(definition)
    assert index.body["vectorSearch"]["vectorizers"][0]["azureOpenAIParameters"]["apiKey"] == "<redacted>"
    for answer in (created, skills, index, await east.call("GET", "/skillsets"), await east.call("GET", "/indexes")):
        assert b"secret" not in answer.raw


@fact("Written back, `<unchanged>` keeps the stored value, `<redacted>` removes it")
async def _(east: Caller) -> None:
    await east.call("POST", "/datasources", DATA_SOURCE)
    for word in ("<unchanged>", "<redacted>"):
        changed = DATA_SOURCE | {"credentials": {"connectionString": word}, "description": word}
        assert (await east.call("PUT", "/datasources/source", changed)).status == 204
    absent = DATA_SOURCE | {"name": "new", "credentials": {"connectionString": "<unchanged>"}}
    assert (await east.call("POST", "/datasources", absent)).status == 400
    absent["credentials"] = {"connectionString": None}
    assert (await east.call("POST", "/datasources", absent)).status == 400


@fact("CMK (`encryptionKey`) can be set only at creation")
async def _(east: Caller) -> None:
    await east.create(plain())
    key = {"keyVaultKeyName": "k", "keyVaultKeyVersion": "1", "keyVaultUri": "https://v"}
    assert (await east.call("PUT", "/indexes/things", plain() | {"encryptionKey": key})).status == 400
    assert (await east.create(plain("other") | {"encryptionKey": key})).body["encryptionKey"] == key


@fact(
    "May change on a live index: `retrievable`, `searchAnalyzer`, `synonymMaps`, profiles, CORS, new fields, analyzers"
)
async def _(east: Caller) -> None:
    await east.call("POST", "/synonymmaps", {"name": "syn", "synonyms": "a,b"})
    definition = things(semantic=None)
    await east.create(definition)
    definition["fields"][1] |= {"retrievable": False, "searchAnalyzer": "simple", "synonymMaps": ["syn"]}
    definition["fields"].append({"name": "extra", "type": "Edm.Int32"})
    definition["fields"][10]["fields"].append({"name": "zip", "type": "Edm.String"})
    definition["scoringProfiles"] = [{"name": "p", "text": {"weights": {"name": 2}}}]
    definition["corsOptions"] = {"allowedOrigins": ["*"]}
    fields = {"titleField": {"fieldName": "name"}}
    definition["semantic"] = {"configurations": [{"name": "s", "prioritizedFields": fields}]}
    await east.upload([{"id": "a", "address": {"city": "Oslo"}}])
    assert (await east.call("PUT", "/indexes/things", definition)).status == 204
    document = (await east.call("GET", "/indexes/things/docs/a")).body
    assert document["extra"] is None
    assert document["address"] == {"city": "Oslo", "lines": [], "zip": None}
    assert await east.count("extra eq null") == 1
    definition["analyzers"] = [{"@odata.type": "#Microsoft.Azure.Search.StopAnalyzer", "name": "mine"}]
    assert (await east.call("PUT", "/indexes/things", definition)).status == 400
    assert (await east.call("PUT", "/indexes/things?allowIndexDowntime=true", definition)).status == 204


@fact("May not: a field's name, type, key, searchable, filterable, sortable, facetable, stored, analyzer, normalizer")
async def _(east: Caller) -> None:
    await east.create(things())
    changes: list[dict[str, object]] = [
        {"type": "Edm.Int64"},
        {"searchable": False},
        {"filterable": False},
        {"sortable": False},
        {"facetable": False},
        {"analyzer": "simple"},
        {"normalizer": "lowercase"},
        {"name": "renamed"},
    ]
    for change in changes:
        definition = things()
        definition["fields"][1] |= change
        answer = await east.call("PUT", "/indexes/things", definition)
        assert answer.status == 400, change
        assert answer.body["error"]["code"] in {"OperationNotAllowed", ""}
    definition = things(similarity={"@odata.type": "#Microsoft.Azure.Search.BM25Similarity", "b": 0.5})
    assert (await east.call("PUT", "/indexes/things", definition)).status == 400


@fact("Create in this order: synonym maps, indexes, documents, data sources, skillsets, indexers, aliases")
async def _(east: Caller, small: Caller) -> None:
    definition = plain()
    definition["fields"][1]["synonymMaps"] = ["syn"]
    indexer: dict[str, object] = {
        "name": "run",
        "dataSourceName": "source",
        "targetIndexName": "things",
        "skillsetName": "set",
    }
    skillset: dict[str, object] = {"name": "set", "skills": [{"@odata.type": "#Microsoft.Skills.Text.SplitSkill"}]}
    steps: list[tuple[str, dict[str, object]]] = [
        ("synonymmaps", {"name": "syn", "synonyms": "a"}),
        ("indexes", definition),
        ("datasources", DATA_SOURCE),
        ("skillsets", skillset),
        ("indexers", indexer),
        ("aliases", {"name": "alias", "indexes": ["things"]}),
    ]
    for kind, body in steps:
        if kind in {"indexes", "indexers", "aliases"}:
            assert (await small.call("POST", f"/{kind}", body)).status == 400
        assert (await east.call("POST", f"/{kind}", body)).status == 201


@fact("Aliases (stable from 2026-04-01): one index each; `PUT` swaps")
async def _(east: Caller) -> None:
    for name in ("first", "second"):
        await east.create(plain(name))
        await east.upload([{"id": name}], name)
    for indexes in ([], ["first", "second"], ["missing"]):
        assert (await east.call("POST", "/aliases", {"name": "now", "indexes": indexes})).status == 400
    assert (await east.call("GET", "/aliases", version="2025-09-01")).status == 400
    for name in ("first", "second"):
        put = await east.call("PUT", "/aliases/now", {"name": "now", "indexes": [name]})
        assert put.status in {201, 204}
        assert (await east.search({"search": "*"}, "now")).documents == [{"id": name, "name": None}]
        assert (await east.call("GET", f"/indexes/now/docs/{name}")).status == 200


@fact("an aliased index can't be deleted (400)")
async def _(east: Caller) -> None:
    await east.create(plain())
    await east.call("POST", "/aliases", {"name": "now", "indexes": ["things"]})
    assert (await east.call("DELETE", "/indexes/things")).status == 400
    assert (await east.call("DELETE", "/aliases/now")).status == 204
    assert (await east.call("DELETE", "/indexes/things")).status == 204


@fact("Concurrency: `If-Match` with the `@odata.etag`; a conflict is 412")
async def _(east: Caller) -> None:
    minimal = {"Accept": "application/json;odata.metadata=minimal"}
    first = (await east.call("POST", "/indexes", plain(), headers=minimal)).body["@odata.etag"]
    assert (await east.call("PUT", "/indexes/things", plain(), headers={"If-Match": first})).status == 204
    for method in ("PUT", "DELETE"):
        stale = await east.call(method, "/indexes/things", plain(), headers={"If-Match": first})
        assert stale.status == 412
        assert stale.message.startswith("The precondition given in one of the request headers evaluated to false.")
    there = {"If-None-Match": "*"}
    assert (await east.call("PUT", "/indexes/things", plain(), headers=there)).status == 412
    assert (await east.call("PUT", "/indexes/new", plain("new"), headers=there)).status == 201
    missing = await east.call("PUT", "/indexes/gone", plain("gone"), headers={"If-Match": "*"})
    assert missing.status == 412
    current = (await east.call("GET", "/indexes/things", headers=minimal)).body["@odata.etag"]
    assert (await east.call("DELETE", "/indexes/things", headers={"If-Match": current})).status == 204


@fact("`POST /docs/search.index`, at most 1,000 actions and 16 MB a request (413 when larger: split)")
async def _(east: Caller) -> None:
    await east.create(things())
    assert (await east.upload(numbered(1000))).status == 200
    assert (await east.upload(numbered(1001))).status == 400
    assert (await east.upload([])).status == 400


@fact("200 = all stored; 207 = some failed. Match results by key")
async def _(east: Caller) -> None:
    await east.create(things())
    whole = await east.upload([{"id": "a"}, {"id": "b"}])
    assert (whole.status, whole.results) == (200, {"a": 201, "b": 201})
    mixed = await east.upload([{"@search.action": "merge", "id": "x"}, {"id": "a"}])
    assert (mixed.status, mixed.results) == (207, {"x": 404, "a": 200})
    assert mixed.body["value"][0] == {
        "key": "x",
        "status": False,
        "errorMessage": "Document not found.",
        "statusCode": 404,
    }


@fact("Per item: 200, 201 fine; 409, 422, 503 try again; 400, 404 final")
async def _(east: Caller) -> None:
    await east.create(things())
    rules = [
        {"fault": "item", "status": status, "key": f"^{key}$"}
        for key, status in zip("abc", (409, 422, 503), strict=True)
    ]
    await east.faults(*rules)
    mixed = await east.upload([{"id": key} for key in "abcd"] + [{"id": "e", "name": "x" * 33_000}])
    assert (mixed.status, mixed.results) == (207, {"a": 409, "b": 422, "c": 503, "d": 201, "e": 400})
    assert [one["id"] for one in (await east.search({"search": "*"})).documents] == ["d"]


@fact("a top-level 429 can mean the document quota is full, 503 is load")
async def _(small: Caller) -> None:
    await small.create(things())
    assert (await small.upload([{"id": key} for key in "abc"])).status == 200
    full = await small.upload([{"id": "d"}])
    assert full.status == 429
    assert "quota" in full.message
    assert (await small.upload([{"id": "a"}])).status == 200
    assert await small.count() == 3
    await small.create(plain("other"))
    assert (await small.upload([{"id": "d"}], "other")).status == 429  # the quota is the service's
    assert (await small.upload([{"@search.action": "delete", "id": "a"}, {"id": "d"}])).status == 200


@fact("A malformed document fails the whole request with 400 and nothing of it is stored: bisect to find it")
async def _(east: Caller) -> None:
    await east.create(things())
    wrong: list[dict[str, object]] = [
        {"name": 5},
        {"small": "5"},
        {"small": 2**31},
        {"small": 5.5},
        {"flag": "true"},
        {"rate": "x"},
        {"made": "yesterday"},
        {"place": {"type": "Point"}},
        {"tags": "one"},
        {"tags": [1]},
        {"address": []},
        {"address": {"unknown": 1}},
        {"rooms": {}},
        {"rooms": [{"price": "x"}]},
        {"vector": [1.0, 2.0]},
        {"unknown": 1},
        {"@search.action": "replace"},
        {"@search.action": []},
        {"place": {"type": "Point", "coordinates": 5}},
        {"made": "0001-01-01T00:00:00+14:00"},
    ]
    for values in wrong:
        answer = await east.upload([{"id": "good"}, {"id": "bad", **values}])
        assert answer.status == 400, values
        assert answer.message.startswith("The request is invalid. Details: "), values
    assert await east.count() == 0
    broken = await east.call("POST", "/indexes/things/docs/index", b'{"value": [{"id": "a", "rate": NaN}]}')
    assert broken.status == 400


@fact("Null is refused for a collection and inside one")
async def _(east: Caller) -> None:
    await east.create(things())
    for values in ({"tags": None}, {"tags": [None]}, {"rooms": None}, {"rooms": [None]}, {"address": {"lines": None}}):
        assert (await east.upload([{"id": "a", **values}])).status == 400, values
    assert (await east.upload([{"id": "a", "name": None, "address": None, "vector": None}])).status == 200


@fact("`@search.*` members must be stripped; a document's own `@search.action` member would change the action")
async def _(east: Caller) -> None:
    await east.create(things())
    assert (await east.upload([{"id": "a", "@search.score": 1.0}])).status == 400
    await east.upload([{"id": "a"}])
    await east.upload([{"@search.action": "delete", "id": "a", "name": "ignored"}])
    assert await east.count() == 0


@fact("Searchable after some seconds; poll counts to a deadline, don't sleep")
async def _(east: Caller) -> None:
    await east.create(things())
    await east.faults({"fault": "lagging_visibility", "seconds": 3600, "times": 2})
    assert (await east.upload([{"id": "a", "name": "n"}])).results == {"a": 201}
    assert (await east.upload([{"@search.action": "merge", "id": "a", "small": 1}])).results == {"a": 200}
    assert await east.count() == 0


@fact("Limits: 3,000 complex-collection elements a document; a filterable string at most 32,766 UTF-8 bytes")
async def _(east: Caller) -> None:
    await east.create(things())
    documents: list[dict[str, object]] = [
        {"id": "a", "rooms": [{}] * 3000},
        {"id": "b", "rooms": [{}] * 3001},
        {"id": "c", "rooms": [{"beds": [{}] * 2999}]},
        {"id": "d", "rooms": [{"beds": [{}] * 3000}]},
        {"id": "e", "name": "x" * 32_766},
        {"id": "f", "name": "x" * 32_767},
        {"id": "g", "name": "é" * 16_384},
        {"id": "h", "text": "x" * 40_000},
        {"id": "i", "tags": ["x" * 32_767]},
    ]
    expected = dict(zip("abcdefghi", (201, 400, 201, 400, 201, 400, 400, 201, 400), strict=True))
    answer = await east.upload(documents)
    assert (answer.status, answer.results) == (207, expected)


@fact("Tiers (GET /servicestats gives counters `{usage, quota}` and limits)")
async def _(east: Caller, small: Caller) -> None:
    counters = [
        "aliasesCount",
        "documentCount",
        "indexesCount",
        "indexersCount",
        "dataSourcesCount",
        "storageSize",
        "synonymMaps",
        "skillsetCount",
        "vectorIndexSize",
    ]
    limits = [
        "maxStoragePerIndex",
        "maxFieldsPerIndex",
        "maxFieldNestingDepthPerIndex",
        "maxComplexCollectionFieldsPerIndex",
        "maxComplexObjectsInCollectionsPerDocument",
    ]
    standard, basic = [(await one.call("GET", "/servicestats")).body for one in (east, small)]
    assert list(standard["counters"]) == counters
    assert list(standard["limits"]) == limits
    assert standard["counters"]["indexesCount"] == {"usage": 0, "quota": 50}
    assert standard["counters"]["storageSize"]["quota"] == 160 * 2**30
    assert standard["limits"]["maxFieldsPerIndex"] == 1000
    assert basic["limits"]["maxFieldsPerIndex"] == 100
    assert basic["counters"]["vectorIndexSize"]["quota"] == 5 * 2**30


@fact("| Indexes | 3 | 15 (old: 5) | 50 | 200 | 200 | 1000/partition | 10 | 10 |")
async def _(small: Caller) -> None:
    assert [(await small.create(plain(name))).status for name in ("a", "b", "c")] == [201, 201, 429]
    assert (await small.call("PUT", "/indexes/c", plain("c"))).status == 429
    assert (await small.call("PUT", "/indexes/a", plain("a"))).status == 204


@fact("| Synonym maps | 3 | 3 | 5 | 10 | 20 | 20 | 10 | 10 |")
async def _(small: Caller) -> None:
    maps = [{"name": name, "synonyms": "a"} for name in ("one", "two")]
    refused = [await small.call("POST", "/synonymmaps", one) for one in maps]
    assert [one.status for one in refused] == [201, 429]


@fact("| Fields per index | 1000 | 100 | 1000 | 1000 | 1000 | 1000 | 1000 | 1000 |")
async def _(east: Caller, small: Caller) -> None:
    definition = plain()
    definition["fields"] += [{"name": f"f{at}", "type": "Edm.Int32"} for at in range(99)]
    assert (await small.create(definition)).status == 400
    assert (await east.create(definition)).status == 201


@fact("All: 40 complex collections an index, depth 10, 1 suggester, 100 scoring profiles, 4,096 dimensions")
async def _(east: Caller) -> None:
    leaf: dict[str, object] = {"name": "leaf", "type": "Edm.Int32"}
    complexes = [{"name": f"c{at}", "type": "Collection(Edm.ComplexType)", "fields": [leaf]} for at in range(41)]
    deep = leaf
    for _ in range(10):
        deep = {"name": "deep", "type": "Edm.ComplexType", "fields": [deep]}
    suggester = {"name": "s", "sourceFields": ["name"]}
    vector = {"name": "v", "type": "Collection(Edm.Single)", "dimensions": 4097, "vectorSearchProfile": "profile"}
    for added in (complexes, [deep], [vector]):
        definition = things()
        definition["fields"] += added
        assert (await east.create(definition)).status == 400
    assert (await east.create(things(suggesters=[suggester, suggester]))).status == 400
    profiles = [{"name": f"p{at}"} for at in range(101)]
    assert (await east.create(things(scoringProfiles=profiles))).status == 400
    assert (await east.create(things(suggesters=[suggester], scoringProfiles=profiles[:100]))).status == 201


@fact("Backup: *Search Index Data Reader* (documents) plus *Reader* (definitions, statistics)")
async def _(east: Caller) -> None:
    await east.create(plain())
    allowed = {
        "reader": {"search"},
        "definitions": {"definition", "statistics"},
        "query-key": {"search"},
        "loader": {"search", "upload", "definition", "statistics", "create"},
    }
    for key, permitted in allowed.items():
        answers = {
            "search": await east.search({"search": "*"}, key=key),
            "upload": await east.call("POST", "/indexes/things/docs/index", {"value": [{"id": "a"}]}, key=key),
            "definition": await east.call("GET", "/indexes/things", key=key),
            "statistics": await east.call("GET", "/servicestats", key=key),
            "create": await east.call("PUT", f"/indexes/of-{key}", plain(f"of-{key}"), key=key),
        }
        assert {name for name, answer in answers.items() if answer.status < 300} == permitted, key
        assert {answer.status for name, answer in answers.items() if name not in permitted} <= {403}


@fact("A request with an API key uses the key")
async def _(east: Caller) -> None:
    await east.create(plain())
    bearer = {"Authorization": "Bearer definitions"}
    assert (await east.search({"search": "*"}, headers=bearer)).status == 200
    assert (await east.search({"search": "*"}, key=None, headers=bearer)).status == 403
    assert (await east.search({"search": "*"}, key=None)).status == 401
    assert (await east.search({"search": "*"}, key="wrong")).status == 403


@pytest.mark.parametrize("line", FACTS, ids=list(FACTS))  # ids that pytest makes itself end at a hundred characters
async def test_the_emulator_keeps_the_fact(line: str, east: Caller, small: Caller) -> None:
    check = FACTS[line]
    services = {"east": east, "small": small}
    await check(**{name: services[name] for name in inspect.signature(check).parameters})
