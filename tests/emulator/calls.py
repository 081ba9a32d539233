"""Raw HTTP to emulated services, as no SDK would send it."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

NEWEST = "2026-04-01"
PREVIEW = "2026-08-01-preview"
ADMIN = "admin-key"


@dataclass(frozen=True)
class Answer:
    status: int
    raw: bytes
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [{name: value for name, value in one.items() if not name.startswith("@")} for one in self.body["value"]]

    @property
    def results(self) -> dict[str, int]:
        return {one["key"]: one["statusCode"] for one in self.body["value"]}


class Caller:
    """Sends requests to one service."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: str) -> None:
        self.session = session
        self.endpoint = endpoint

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str | None = NEWEST,
        key: str | None = ADMIN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": "application/json;odata.metadata=none"} | ({"api-key": key} if key else {})
        sent |= headers or {}
        query = f"{'&' if '?' in path else '?'}api-version={version}" if version else ""
        encoded = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        data = io.BytesIO(encoded) if encoded else None
        async with self.session.request(method, f"{self.endpoint}{path}{query}", data=data, headers=sent) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def create(self, definition: dict[str, Any], version: str = PREVIEW) -> Answer:
        return await self.call("POST", "/indexes", definition, version=version)

    async def upload(self, documents: Sequence[Mapping[str, object]], index: str = "things") -> Answer:
        return await self.call("POST", f"/indexes/{index}/docs/index", {"value": documents})

    async def search(self, query: Mapping[str, object], index: str = "things", **options: Any) -> Answer:
        return await self.call("POST", f"/indexes/{index}/docs/search", dict(query), **options)

    async def count(self, filter_text: str | None = None, index: str = "things") -> int:
        answer = await self.search({"filter": filter_text, "count": True, "top": 0}, index)
        return int(answer.body["@odata.count"])

    async def faults(self, *rules: Mapping[str, object], seed: int = 0) -> None:
        answer = await self.call("POST", "/$emulator/faults", {"seed": seed, "rules": rules}, version=None)
        assert answer.status == 204, answer.raw

    async def overview(self) -> Any:
        return (await self.call("GET", "/$emulator", version=None)).body


def things(**changes: object) -> dict[str, Any]:
    """An index with one field of every type."""
    return {
        "name": "things",
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True, "analyzer": "keyword"},
            {"name": "name", "type": "Edm.String"},
            {"name": "text", "type": "Edm.String", "filterable": False, "sortable": False, "facetable": False},
            {"name": "flag", "type": "Edm.Boolean"},
            {"name": "small", "type": "Edm.Int32"},
            {"name": "large", "type": "Edm.Int64"},
            {"name": "rate", "type": "Edm.Double"},
            {"name": "made", "type": "Edm.DateTimeOffset"},
            {"name": "place", "type": "Edm.GeographyPoint"},
            {"name": "tags", "type": "Collection(Edm.String)"},
            {
                "name": "address",
                "type": "Edm.ComplexType",
                "fields": [{"name": "city", "type": "Edm.String"}, {"name": "lines", "type": "Collection(Edm.String)"}],
            },
            {
                "name": "rooms",
                "type": "Collection(Edm.ComplexType)",
                "fields": [
                    {"name": "price", "type": "Edm.Double"},
                    {
                        "name": "beds",
                        "type": "Collection(Edm.ComplexType)",
                        "fields": [{"name": "kind", "type": "Edm.String"}],
                    },
                ],
            },
            {
                "name": "vector",
                "type": "Collection(Edm.Single)",
                "dimensions": 3,
                "vectorSearchProfile": "profile",
                "retrievable": True,
            },
        ],
        "vectorSearch": {
            "algorithms": [{"name": "hnsw", "kind": "hnsw"}],
            "profiles": [{"name": "profile", "algorithm": "hnsw"}],
        },
        **changes,
    }


def plain(name: str = "things", **key: object) -> dict[str, Any]:
    """An index with a key and a string."""
    return {
        "name": name,
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True, **key},
            {"name": "name", "type": "Edm.String"},
        ],
    }
