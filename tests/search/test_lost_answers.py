"""A change that took effect is a success, however its answer was lost; another writer's is a conflict."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from azure.core.credentials import AzureKeyCredential

from emulator.server import running
from emulator.service import EmulatedService
from indexvault.errors import ConflictError, NotFoundError
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.search.client import SearchService
from indexvault.search.retry import RetryPolicy
from tests import hotels

KEY = "admin-key"
WITH_CORS = hotels.DEFINITION | {"corsOptions": {"allowedOrigins": ["https://contoso.example"]}}
OTHER = hotels.DEFINITION | {"defaultScoringProfile": None, "description": "another writer's"}
INN = hotels.DEFINITION | {"name": "inns"}
MAP = {"name": "stars", "format": "solr", "synonyms": "star, sun"}
SOURCE = {
    "name": "blobs",
    "type": "azureblob",
    "container": {"name": "c"},
    "credentials": {"connectionString": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5"},
}

SKILLS = {
    "name": "split",
    "skills": [
        {
            "@odata.type": "#Microsoft.Skills.Text.SplitSkill",
            "inputs": [{"name": "text", "source": "/document/content"}],
            "outputs": [{"name": "textItems", "targetName": "pages"}],
        }
    ],
}
INDEXER = {"name": "nightly", "dataSourceName": "blobs", "targetIndexName": "hotels", "disabled": True}
KNOWLEDGE = {
    "name": "rooms",
    "kind": "searchIndex",
    "searchIndexParameters": {"searchIndexName": "hotels", "sourceDataFields": [{"name": "id"}]},
}
GUIDE = {
    "name": "guide",
    "knowledgeSources": [{"name": "rooms"}],
    "models": [
        {
            "kind": "azureOpenAI",
            "azureOpenAIParameters": {
                "resourceUri": "https://contoso.openai.azure.com",
                "deploymentId": "chat",
                "modelName": "gpt-5-mini",
                "apiKey": "0123456789abcdef0123456789abcdef",
            },
        }
    ],
}
NEWER = INN | {
    "permissionFilterOption": "enabled",
    "fields": [
        *hotels.DEFINITION["fields"],
        {"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"},
    ],
}


def encoded(body: Any) -> bytes:
    return msgspec.json.encode(body)


class Lossy:
    """A service, its emulator, and how to lose answers."""

    def __init__(self, service: SearchService, endpoint: str, session: aiohttp.ClientSession) -> None:
        self.service = service
        self._endpoint = endpoint
        self._session = session

    async def lose(self, fault: str, method: str, path: str, *, after: bool, times: int = 1) -> None:
        rule = {"fault": fault, "after": after, "method": method, "path": path, "times": times}
        async with self._session.post(f"{self._endpoint}/$emulator/faults", json={"rules": [rule]}) as answer:
            assert answer.status == 204

    async def lost(self) -> int:
        async with self._session.get(f"{self._endpoint}/$emulator") as answer:
            return sum(each["fired"] for each in (await answer.json())["faults"])

    async def change(self, method: str, path: str, body: Any = None) -> None:
        """Change something as another writer."""
        url = f"{self._endpoint}{path}?api-version=2026-08-01-preview"
        async with self._session.request(method, url, json=body, headers={"api-key": KEY}) as answer:
            assert answer.status < 300, await answer.text()


@pytest.fixture(params=["usual", "keeps_etags", "renews_etags"])
async def lossy(request: pytest.FixtureRequest) -> AsyncIterator[Lossy]:
    emulated = EmulatedService(
        name="east",
        api_key=KEY,
        keeps_etags=request.param == "keeps_etags",
        renews_etags=request.param == "renews_etags",
    )
    async with running([emulated]) as up, aiohttp.ClientSession() as session:
        service = SearchService(
            "east",
            up.endpoint("east"),
            AzureKeyCredential(KEY),
            rng=random.Random(1),
            retry=RetryPolicy(first_wait=0.001, longest_wait=0.01),
        )
        async with service:
            await service.create_index("hotels", encoded(hotels.DEFINITION), preview=False)
            yield Lossy(service, up.endpoint("east"), session)


async def create_index(service: SearchService) -> None:
    await service.create_index("inns", encoded(INN), preview=False)


async def update_index(service: SearchService) -> None:
    before = await service.index_definition("hotels")
    await service.update_index("hotels", encoded(WITH_CORS), before=before, preview=False)


async def delete_index(service: SearchService) -> None:
    await service.delete_index("hotels", before=await service.index_definition("hotels"))


async def create_alias(service: SearchService) -> None:
    await service.point_alias("stays", "hotels", before=None)


async def swap_alias(service: SearchService) -> None:
    await service.create_index("inns", encoded(INN), preview=False)
    await service.point_alias("stays", "hotels", before=None)
    await service.point_alias("stays", "inns", before=await service.alias("stays"))


async def create_synonym_map(service: SearchService) -> None:
    await service.create_synonym_map("stars", encoded(MAP), preview=False)


async def create_data_source(service: SearchService) -> None:
    await service.create_definition("datasources", "blobs", encoded(SOURCE), preview=False)


async def create_skillset(service: SearchService) -> None:
    await service.create_definition("skillsets", "split", encoded(SKILLS), preview=False)


async def create_indexer(service: SearchService) -> None:
    await service.create_definition("datasources", "blobs", encoded(SOURCE), preview=False)
    await service.create_definition("indexers", "nightly", encoded(INDEXER), preview=False)


async def create_knowledge_source(service: SearchService) -> None:
    await service.create_definition("knowledgesources", "rooms", encoded(KNOWLEDGE), preview=True)


async def create_knowledge_base(service: SearchService) -> None:
    await service.create_definition("knowledgesources", "rooms", encoded(KNOWLEDGE), preview=True)
    await service.create_definition("knowledgebases", "guide", encoded(GUIDE), preview=True)


async def create_alias_as_an_object(service: SearchService) -> None:
    await service.create_definition("aliases", "stays", encoded({"name": "stays", "indexes": ["hotels"]}), preview=True)


async def create_newer_index(service: SearchService) -> None:
    await service.create_index("inns", encoded(NEWER), preview=True)


async def upload_documents(service: SearchService) -> None:
    answer = await service.index_documents("hotels", batch(upload_action(encoded(each)) for each in hotels.hotels(2)))
    assert all(result.status for result in answer.results.values())


async def delete_documents(service: SearchService) -> None:
    await upload_documents(service)
    await service.index_documents("hotels", batch(delete_action("id", each["id"]) for each in hotels.hotels(2)))


def is_there(kind: str, name: str) -> "State":
    async def look(service: SearchService) -> bool:
        return [each.name for each in await service.definitions(kind, preview=True)] == [name]

    return look


def counts(documents: int) -> "State":
    async def look(service: SearchService) -> bool:
        return await service.count("hotels") == documents

    return look


async def index_is_new(service: SearchService) -> bool:
    return "inns" in await service.index_names() and await service.count("inns") == 0


async def index_is_changed(service: SearchService) -> bool:
    return b"contoso.example" in bytes((await service.index_definition("hotels")).body)


async def index_is_gone(service: SearchService) -> bool:
    return "hotels" not in await service.index_names()


async def alias_is_new(service: SearchService) -> bool:
    return await service.alias_target("stays") == "hotels"


async def alias_is_swapped(service: SearchService) -> bool:
    return await service.alias_target("stays") == "inns"


async def map_is_new(service: SearchService) -> bool:
    return b"star, sun" in bytes((await service.synonym_map("stars")).body)


async def source_is_new(service: SearchService) -> bool:
    return b"azureblob" in bytes((await service.definition("datasources", "blobs")).body)


type Change = Callable[[SearchService], Awaitable[None]]
type State = Callable[[SearchService], Awaitable[bool]]

CHANGES: list[Any] = [
    pytest.param(create_index, index_is_new, "PUT", "inns", id="create_index"),
    pytest.param(update_index, index_is_changed, "PUT", "hotels", id="update_index"),
    pytest.param(delete_index, index_is_gone, "DELETE", "hotels", id="delete_index"),
    pytest.param(create_alias, alias_is_new, "PUT", "stays", id="create_alias"),
    pytest.param(swap_alias, alias_is_swapped, "PUT", "stays", id="swap_alias"),
    pytest.param(create_synonym_map, map_is_new, "PUT", "stars", id="create_synonym_map"),
    pytest.param(create_data_source, source_is_new, "PUT", "blobs", id="create_data_source"),
    pytest.param(create_skillset, is_there("skillsets", "split"), "PUT", "split", id="create_skillset"),
    pytest.param(create_indexer, is_there("indexers", "nightly"), "PUT", "nightly", id="create_indexer"),
    pytest.param(
        create_knowledge_source, is_there("knowledgesources", "rooms"), "PUT", "rooms", id="create_knowledge_source"
    ),
    pytest.param(
        create_knowledge_base, is_there("knowledgebases", "guide"), "PUT", "guide", id="create_knowledge_base"
    ),
    pytest.param(create_alias_as_an_object, alias_is_new, "PUT", "stays", id="create_alias_as_an_object"),
    pytest.param(create_newer_index, index_is_new, "PUT", "inns", id="create_newer_index"),
    pytest.param(upload_documents, counts(2), "POST", "search.index", id="upload_documents"),
    pytest.param(delete_documents, counts(0), "POST", "search.index", id="delete_documents"),
]


@pytest.mark.parametrize(("change", "state", "method", "path"), CHANGES)
@pytest.mark.parametrize(
    ("fault", "after"),
    [
        pytest.param("reset", False, id="reset-before"),
        pytest.param("reset", True, id="reset-after"),
        pytest.param("unavailable", False, id="unavailable-before"),
        pytest.param("unavailable", True, id="unavailable-after"),
        pytest.param("truncated", True, id="truncated"),
    ],
)
async def test_a_change_whose_answer_is_lost_before_or_after_its_effect_is_made_once(  # noqa: PLR0917  # parametrised
    lossy: Lossy,
    change: Change,
    state: State,
    method: str,
    path: str,
    fault: str,
    after: bool,  # noqa: FBT001  # parametrised
) -> None:
    await lossy.lose(fault, method, path, after=after)
    await change(lossy.service)
    assert await state(lossy.service)
    assert await lossy.lost() == 1


@pytest.mark.parametrize(("change", "state", "method", "path"), CHANGES)
async def test_a_change_whose_answers_are_all_lost_can_be_made_again(
    lossy: Lossy, change: Change, state: State, method: str, path: str
) -> None:
    await lossy.lose("reset", method, path, after=True, times=5)
    await change(lossy.service)
    assert await state(lossy.service)


async def test_an_index_that_another_writer_made_meanwhile_is_a_conflict(lossy: Lossy) -> None:
    await lossy.change("PUT", "/indexes/inns", INN | {"description": "another writer's"})
    await lossy.lose("unavailable", "PUT", "inns", after=False)
    with pytest.raises(ConflictError):
        await create_index(lossy.service)


async def test_an_index_with_documents_is_not_the_one_whose_creation_got_no_answer(lossy: Lossy) -> None:
    await create_index(lossy.service)
    documents = batch(upload_action(encoded(document)) for document in hotels.hotels(2))
    await lossy.service.index_documents("inns", documents)
    await lossy.lose("unavailable", "PUT", "inns", after=False)
    with pytest.raises(ConflictError):
        await create_index(lossy.service)


async def test_an_equal_index_that_was_there_before_is_a_conflict(lossy: Lossy) -> None:
    await create_index(lossy.service)
    with pytest.raises(ConflictError):
        await create_index(lossy.service)


async def test_an_update_of_what_another_writer_has_changed_is_a_conflict(lossy: Lossy) -> None:
    before = await lossy.service.index_definition("hotels", preview=True)
    await lossy.change("PUT", "/indexes/hotels", OTHER)
    with pytest.raises(ConflictError):
        await lossy.service.update_index("hotels", encoded(WITH_CORS), before=before, preview=True)
    assert not await index_is_changed(lossy.service)


async def test_an_update_goes_on_if_only_the_etag_is_another(lossy: Lossy) -> None:
    before = await lossy.service.index_definition("hotels")
    stale = msgspec.structs.replace(before, etag='"0x1"')
    await lossy.service.update_index("hotels", encoded(WITH_CORS), before=stale, preview=False)
    assert await index_is_changed(lossy.service)


async def test_an_index_whose_etag_alone_is_another_is_deleted(lossy: Lossy) -> None:
    before = await lossy.service.index_definition("hotels")
    await lossy.service.delete_index("hotels", before=msgspec.structs.replace(before, etag='"0x1"'))
    assert await index_is_gone(lossy.service)


async def test_an_index_that_is_gone_needs_no_deletion(lossy: Lossy) -> None:
    before = await lossy.service.index_definition("hotels")
    await lossy.change("DELETE", "/indexes/hotels")
    await lossy.service.delete_index("hotels", before=before)


async def test_an_index_with_documents_is_not_deleted_under_another_etag(lossy: Lossy) -> None:
    before = await lossy.service.index_definition("hotels")
    await lossy.service.index_documents("hotels", batch([upload_action(encoded(hotels.hotels(1)[0]))]))
    with pytest.raises(ConflictError):
        await lossy.service.delete_index("hotels", before=msgspec.structs.replace(before, etag='"0x1"'))
    assert not await index_is_gone(lossy.service)


async def test_an_index_that_was_redefined_is_not_deleted(lossy: Lossy) -> None:
    before = await lossy.service.index_definition("hotels", preview=True)
    await lossy.change("PUT", "/indexes/hotels", OTHER)
    with pytest.raises(ConflictError):
        await lossy.service.delete_index("hotels", before=before)
    assert not await index_is_gone(lossy.service)


async def test_an_alias_that_leads_elsewhere_by_now_is_a_conflict(lossy: Lossy) -> None:
    await create_index(lossy.service)
    await lossy.service.create_index("motels", encoded(hotels.DEFINITION | {"name": "motels"}), preview=False)
    await create_alias(lossy.service)
    before = await lossy.service.alias("stays")
    await lossy.change("PUT", "/aliases/stays", {"name": "stays", "indexes": ["motels"]})
    with pytest.raises(ConflictError):
        await lossy.service.point_alias("stays", "inns", before=before)
    with pytest.raises(ConflictError):
        await lossy.service.point_alias("stays", "inns", before=None)
    await lossy.change("DELETE", "/aliases/stays")
    with pytest.raises((ConflictError, NotFoundError)):
        await lossy.service.point_alias("stays", "inns", before=before)
