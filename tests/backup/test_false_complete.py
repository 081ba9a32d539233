"""Documents that go and return between two answers, in every way of reading: none that stayed may be missing.

2,000 documents that were read already are deleted between two pages, and 1,024 of them return before anything is
counted. So pages can't join, and counts of before and after leave room for what was missed.
"""

import json
from typing import Any

import pytest

from indexvault.backup.limits import Limits
from indexvault.errors import AccountingError, UnreadableIndexError
from indexvault.search.batch import batch, delete_action
from indexvault.search.client import SearchService
from indexvault.search.page import Page
from indexvault.search.query import DocumentQuery
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunks import document_lines, key_reader
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, open_world, upload_batch

DOCUMENTS, GONE, BACK = 5_000, 2_000, 1_024
LIMITS = Limits(largest_partition=100_000, comfortable_partition=25_000)
OFF = {"filterable": False, "sortable": False, "facetable": False, "searchable": False}


def definition(*fields: dict[str, Any], key: dict[str, Any] | None = None) -> dict[str, Any]:
    plain = {"retrievable": True} | OFF
    return {
        "name": "moving",
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True} | OFF | (key or {}),
            *(plain | field for field in fields),
        ],
    }


def document(number: int) -> dict[str, Any]:
    return {"id": f"{number * 7919 % 100_003:06}", "number": number, "category": f"c{number % 3}"}


class Disturbed(SearchService):
    """Deletes what was read after so many pages of documents, and lets a part of it return before the next count."""

    after = 3
    mode = "forward"
    read: dict[str, int]
    gone: list[int]
    returned: bool

    def disturb_with(self) -> None:
        self.read, self.gone, self.returned, self.pages = {}, [], False, 0

    async def documents(self, index: str, query: DocumentQuery, *arguments: Any, **options: Any) -> Page:
        if self.gone and not self.returned and query.top == 0:
            self.returned = True
            for some in (self.gone[:1000], self.gone[1000:BACK]):
                await self.index_documents("moving", upload_batch(json.dumps(document(each)).encode() for each in some))
        page = await super().documents(index, query, *arguments, **options)
        if len(page.documents) > 1 and "disturb" in self.__dict__:
            self.pages += 1
            for each in page.documents:
                self.read[each.key] = 0
            if self.pages >= self.after and not self.gone and len(self.read) >= GONE:
                by_key = {document(number)["id"]: number for number in range(DOCUMENTS)}
                self.gone = [by_key[key] for key in list(self.read)[:GONE]]
                for start in range(0, GONE, 1000):
                    keys = [document(number)["id"] for number in self.gone[start : start + 1000]]
                    await self.index_documents("moving", batch(delete_action("id", key) for key in keys))
        return page


SORTED = {"name": "number", "type": "Edm.Int32", "sortable": True}
WALKED = SORTED | {"filterable": True}
FILTERED = {"name": "number", "type": "Edm.Int32", "filterable": True}
HIDDEN = {"name": "number", "type": "Edm.Int32", "filterable": True, "retrievable": False}
PLAIN = {"name": "number", "type": "Edm.Int32"}
CATEGORY = {"name": "category", "type": "Edm.String"}
FACETED = {"name": "category", "type": "Edm.String", "filterable": True, "facetable": True}
PARTS = Limits(largest_partition=3_000, most_skipped=3_000, comfortable_partition=1_500)


@pytest.mark.parametrize(
    ("fields", "key", "limits"),
    [
        pytest.param((SORTED, CATEGORY), {}, LIMITS, id="ordered by a unique number"),
        pytest.param((WALKED, CATEGORY), {}, LIMITS, id="walked by a unique number"),
        pytest.param((WALKED, CATEGORY), {}, PARTS, id="walked in parts"),
        pytest.param((FILTERED, CATEGORY), {}, LIMITS, id="cut by a number that is not sortable"),
        pytest.param((HIDDEN, CATEGORY), {}, LIMITS, id="halves of a number that is not returned"),
        pytest.param((PLAIN, FACETED), {}, LIMITS, id="facets"),
        pytest.param((PLAIN, CATEGORY), {"filterable": True}, LIMITS, id="prefixes of a filterable key"),
        pytest.param((PLAIN, CATEGORY), {"searchable": True}, LIMITS, id="prefix queries, small"),
        pytest.param((PLAIN, CATEGORY), {"searchable": True}, PARTS, id="prefix queries"),
        pytest.param((SORTED, CATEGORY), {}, PARTS, id="both ends of an ordering"),
        pytest.param((PLAIN, CATEGORY), {}, LIMITS, id="no order at all"),
    ],
)
@pytest.mark.parametrize("after", [2, 3])
async def test_no_snapshot_is_falsely_complete(
    fields: tuple[dict[str, Any], ...], key: dict[str, Any], limits: Limits, after: int
) -> None:
    async with open_world(MemoryStore("local"), limits=limits) as world:
        await world.fill(definition(*fields, key=key), [document(number) for number in range(DOCUMENTS)])
        await world.ask_east_with(Disturbed)
        east = world.east
        assert isinstance(east, Disturbed)
        east.disturb_with()
        east.after = after
        east.__dict__["disturb"] = True
        try:
            report = await world.back_up("moving", parallel=1)
        except (AccountingError, UnreadableIndexError):
            return
        assert east.gone, "the index was disturbed"
        manifest = await resolve_manifest(
            world.store.snapshots, SnapshotReference(service=EAST, index="moving"), now=LATER
        )
        key_of = key_reader("id")
        found = {
            key_of(line)
            for chunk in await chunks_of(world.store.snapshots, manifest)
            for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
        }
    stayed = {document(number)["id"] for number in range(DOCUMENTS)} - {document(number)["id"] for number in east.gone}
    assert report.state != "complete" or stayed <= found, f"{len(stayed - found)} documents are missing"
