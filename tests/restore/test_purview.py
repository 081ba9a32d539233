"""Indexes under Purview's sensitivity labels: queries leave labelled documents out, unless they read elevated."""

import json

import pytest
from aiohttp import web

from indexvault.backup.live_index import LiveIndex
from indexvault.restore.read_target import count_all, scanned
from indexvault.search.scan import KeyRange
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.tree import Tree
from tests.scripted import Scripted
from tests.snapshots.samples import manifest_of

DEFINITION = {
    "name": "papers",
    "fields": [{"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True}],
    "purviewEnabled": True,
}
PAGE = json.dumps({"@odata.count": 1, "value": [{"id": "1"}]}).encode()
ELEVATED = "x-ms-enable-elevated-read"


@pytest.fixture
def schema() -> Schema:
    return read_schema(json.dumps(DEFINITION).encode(), on="papers")


def elevated(scripted: Scripted) -> set[tuple[str, str | None]]:
    return {(method, headers.get(ELEVATED)) for method, _path, headers, _body in scripted.requests}


async def test_labelled_documents_are_read_and_counted_where_a_target_is_proved(
    scripted: Scripted, schema: Schema
) -> None:
    scripted.replies = [lambda _request: web.Response(body=PAGE)]
    assert await count_all(scripted.service, "papers", schema) == 1
    keys = KeyRange(None, "1")
    pages = scanned(scripted.service, "papers", schema, keys, average_document_bytes=10)
    read = [key async for page in pages for key, _ in page]
    assert read == ["1"]
    assert elevated(scripted) == {("POST", "true")}


async def test_a_snapshot_is_compared_with_labelled_documents_too(scripted: Scripted) -> None:
    definition, empty = json.dumps(DEFINITION).encode(), b'{"@odata.count":0,"value":[]}'
    scripted.replies = [lambda request: web.Response(body=definition if request.method == "GET" else empty)]
    live = await LiveIndex.open(scripted.service, "papers")
    assert [span async for span in live.spans(manifest_of(Tree(), ""))] == []
    assert elevated(scripted) == {("GET", None), ("POST", "true")}
