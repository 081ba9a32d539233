"""Runs the SDK's samples as they are, each against an emulated service of its own that holds the samples' index."""

from collections.abc import Mapping
from pathlib import Path

from azure.core.credentials import AzureKeyCredential
from azure.search.documents.aio import SearchClient
from azure.search.documents.indexes.aio import SearchIndexClient
from azure.search.documents.indexes.models import SearchIndex

from emulator.server import running
from emulator.service import EmulatedService
from tests.conformance import hotels
from tests.conformance.live_tests import STORAGE, python
from tests.conformance.outcomes import Outcome

_INDEX = "hotels-sample-index"


def _line(hotel: hotels.Json) -> str:
    return f"  HotelName: {hotel['HotelName']} (rating {hotel['Rating']})"


def _with(word: str) -> list[hotels.Json]:
    return [one for one in hotels.sample_hotels() if word in f"{one['Description']} {' '.join(one['Tags'])}"]


def _category_facets() -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for hotel in _with("wifi"):
        counts[hotel["Category"]] = counts.get(hotel["Category"], 0) + 1
    largest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    return tuple(str({"count": count, "value": value}) for value, count in largest)


_SPAS = tuple(_line(hotel) for hotel in _with("a spa"))
_FLORIDA = tuple(_line(hotel) for hotel in _with("wifi") if hotel["Address"]["StateProvince"] == "FL")
EXPECTED: Mapping[str, tuple[str, ...]] = {
    "agentic_retrieval": (),
    "authentication": (),
    "documents_buffered_sender": ("Uploaded: document 100", "Merged: document 100", "Deleted: document 100"),
    "documents_crud": (
        "Uploaded: document 100 (succeeded=True)",
        "Merged: document 100 (succeeded=True)",
        "  HotelName: Azure Sanctuary & Spa",
        "Deleted: document 100 (succeeded=True)",
    ),
    "index_alias_crud": (
        f"Created: alias 'hotel-alias' -> index '{_INDEX}'",
        "Updated: alias 'hotel-alias' -> index 'hotels-sample-index-v2'",
        "Deleted: alias 'hotel-alias'",
        "Deleted: index 'hotels-sample-index-v2'",
    ),
    "index_analyze_text": ("  Token: one's, Start: 0, End: 5", "  Token: two, Start: 7, End: 10"),
    "index_client_custom_request": (f"'name': '{_INDEX}'",),
    "index_crud": (
        "Created: index 'hotels-sample-index-index-crud'",
        "Retrieved: index 'hotels-sample-index-index-crud'",
        "Updated: index 'hotels-sample-index-index-crud'",
        "Deleted: index 'hotels-sample-index-index-crud'",
    ),
    "index_synonym_map_crud": (
        "Synonym maps (2): hotels-sample-synonym-map, hotels-sample-synonym-map-file",
        "  Washington, Wash. => WA",
        "Deleted: synonym map 'hotels-sample-synonym-map-file'",
    ),
    "indexer_crud": (
        "Indexers (1): hotels-sample-indexer-indexer-crud",
        "Deleted: indexer 'hotels-sample-indexer-indexer-crud'",
    ),
    "indexer_datasource_crud": (
        "Data sources (1): hotels-sample-blob",
        "Retrieved: data source 'hotels-sample-blob'",
        "Deleted: data source 'hotels-sample-blob'",
    ),
    "indexer_workflow": ("Scheduled: indexer every 1 day, 0:00:00", "Deleted: skillset 'hotels-sample-skillset'"),
    "query_autocomplete": ("  Completion: boat", "  Completion: bottled"),
    "query_facets": _category_facets(),
    "query_filter": _FLORIDA,
    "query_semantic": (),
    "query_session": _SPAS,
    "query_simple": _SPAS,
    "query_suggestions": ("coffee in lobby",),
    "query_vector": (),
    "search_client_custom_request": (f"Document count: {len(hotels.sample_hotels())} (index '{_INDEX}')",),
}
"""What each sample must print, by its name without `sample_` and `_async`; nothing for those that are out of scope."""
_ONLY_SYNCHRONOUS = frozenset({"indexer_workflow"})
SAMPLES = tuple(
    f"sample_{name}{kind}.py"
    for name in EXPECTED
    for kind in ("", "_async")
    if not (kind and name in _ONLY_SYNCHRONOUS)
)


async def run_sample(source: Path, file: str) -> Outcome:
    """Run one sample of the unpacked source distribution: it must end well, and print what the data demands."""
    setup = EmulatedService(name="conformance")
    async with running([setup]) as emulator:
        await _load(emulator.endpoint(setup.name), setup.api_key)
        environment = {
            "AZURE_SEARCH_SERVICE_ENDPOINT": emulator.endpoint(setup.name),
            "AZURE_SEARCH_INDEX_NAME": _INDEX,
            "AZURE_SEARCH_API_KEY": setup.api_key,
            "AZURE_STORAGE_CONNECTION_STRING": STORAGE,
        }
        status, output = await python([file], source / "samples", environment)
    if status != 0:
        return Outcome(file, file.removesuffix(".py"), passed=False, why=_last_line(output))
    expected = EXPECTED[file.removeprefix("sample_").removesuffix(".py").removesuffix("_async")]
    missing = [line for line in expected if line not in output]
    why = f"it did not print {missing[0]!r}; it printed: {output.strip()}" if missing else ""
    return Outcome(file, file.removesuffix(".py"), passed=not missing, why=why)


async def _load(endpoint: str, key: str) -> None:
    """Make the samples' index, as the portal's wizard would."""
    credential = AzureKeyCredential(key)
    async with (
        SearchIndexClient(endpoint, credential) as definitions,
        SearchClient(endpoint, _INDEX, credential) as documents,
    ):
        await definitions.create_index(SearchIndex(hotels.sample_definition(_INDEX)))
        await documents.upload_documents(hotels.sample_hotels())


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1] if lines else "it ended badly, without a word"
