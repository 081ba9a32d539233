import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from indexvault.backup.definition_changes import concerns_only_searching
from indexvault.snapshots.manifest import Definition, VersionedDefinition
from tests import hotels

type Change = Callable[[dict[str, Any]], object]


def given(body: dict[str, Any], *, preview: dict[str, Any] | None = None) -> Definition:
    def versioned(version: str, members: dict[str, Any]) -> VersionedDefinition:
        return VersionedDefinition(version, msgspec.Raw(msgspec.json.encode(members)))

    return Definition(versioned("stable", body), versioned("preview", preview) if preview is not None else None)


def changed(change: Change) -> dict[str, Any]:
    body = copy.deepcopy(hotels.DEFINITION)
    change(body)
    return body


def field(body: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in body["fields"] if each["name"] == name)
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(scoringProfiles=[{"name": "new"}]),
        lambda body: body.update(suggesters=[{"name": "sg", "sourceFields": ["name"]}]),
        lambda body: body.update(corsOptions={"allowedOrigins": ["*"]}),
        lambda body: body.update(semantic={"configurations": []}),
        lambda body: body.update(description="for guests"),
        lambda body: body["vectorSearch"].update(vectorizers=[{"name": "v"}]),
        lambda body: field(body, "name").update(synonymMaps=["words"]),
        lambda body: field(body, "name").update(searchAnalyzer="en.lucene"),
        lambda body: field(body, "address")["fields"][0].update(description="where"),
    ],
)
def test_what_is_about_searching_alone_changes_no_document(change: Change) -> None:
    assert concerns_only_searching(given(hotels.DEFINITION), given(changed(change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["fields"].append({"name": "new", "type": "Edm.String"}),
        lambda body: body["fields"].pop(),
        lambda body: body["fields"].reverse(),
        lambda body: field(body, "stars").update(type="Edm.Int64"),
        lambda body: field(body, "stars").update(retrievable=False),
        lambda body: field(body, "vector").update(stored=False),
        lambda body: field(body, "address")["fields"][0].update(retrievable=False),
        lambda body: field(body, "address")["fields"].append({"name": "country", "type": "Edm.String"}),
        lambda body: field(body, "id").update(sortable=False),
        lambda body: field(body, "name").update(analyzer="en.lucene"),
        lambda body: body.update(permissionFilterOption="enabled"),
        lambda body: body.update(purviewEnabled=True),
        lambda body: body.update(similarity={"@odata.type": "#Microsoft.Azure.Search.ClassicSimilarity"}),
        lambda body: body.update(encryptionKey={"keyVaultKeyName": "key"}),
    ],
)
def test_what_documents_depend_on_or_only_another_index_can_have_does(change: Change) -> None:
    assert not concerns_only_searching(given(hotels.DEFINITION), given(changed(change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update({"@odata.etag": "another"}),
        lambda body: body.update(permissionFilterOption=None),
    ],
)
def test_what_was_changed_and_changed_back_may_have_been_anything(change: Change) -> None:
    assert not concerns_only_searching(given(hotels.DEFINITION), given(changed(change)))


def test_the_api_version_that_tells_most_decides() -> None:
    plain, protected = hotels.DEFINITION, hotels.definition(purviewEnabled=True)
    described = hotels.definition(description="for guests")
    assert not concerns_only_searching(given(plain, preview=plain), given(plain, preview=protected))
    assert concerns_only_searching(given(plain, preview=protected), given(described))
    assert concerns_only_searching(given(plain, preview=plain), given(plain, preview=described))
