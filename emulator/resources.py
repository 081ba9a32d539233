"""Definitions other than indexes: their defaults, references and quotas.

Their members are kept as they come; nothing here runs an indexer, a skill or a knowledge base.
Source: recorded traffic of the official SDKs' tests, and the REST specification.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from emulator.definition_shapes import require_shape
from emulator.failures import ServiceError, invalid_request
from emulator.index_rules import check_name
from emulator.tiers import Tier
from emulator.versions import ApiVersion, require_members

type Body = dict[str, Any]
type Names = Mapping[str, frozenset[str]]
"""The names that exist, by kind."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of resource; `defaults` are in the order of the service's answers."""

    name: str
    noun: str
    model: str
    defaults: Body
    check: Callable[[Body, Names], None]
    quota: Callable[[Tier], int]
    open: bool = False
    """Whether unlisted members are kept, for kinds with several shapes."""


def _check_synonym_map(body: Body, _names: Names) -> None:
    if body["format"] != "solr" or not isinstance(body["synonyms"], str):
        raise invalid_request("synonymMap : A synonym map needs the format 'solr' and synonyms as a string.")


def _check_alias(body: Body, names: Names) -> None:
    check_name(body["name"], "alias")
    indexes = body["indexes"]
    if not isinstance(indexes, list) or len(indexes) != 1:
        raise invalid_request("alias : An alias must refer to exactly one index.")
    if indexes[0] not in names["indexes"]:
        raise ServiceError(400, f"The alias '{body['name']}' refers to an index '{indexes[0]}' that doesn't exist.")
    if body["name"] in names["indexes"]:
        raise ServiceError(400, f"The alias name '{body['name']}' is already the name of an index.")


def _check_data_source(body: Body, _names: Names) -> None:
    if not body["type"] or not isinstance(body["container"], dict) or not body["container"].get("name"):
        raise invalid_request("dataSource : A data source needs a type and a container with a name.")
    credentials = body["credentials"]
    if not isinstance(credentials, dict) or "connectionString" not in credentials:
        raise invalid_request("dataSource : A data source needs credentials with a connectionString.")


def _check_indexer(body: Body, names: Names) -> None:
    for member, kind, noun in (
        ("dataSourceName", "datasources", "data source"),
        ("targetIndexName", "indexes", "index"),
        ("skillsetName", "skillsets", "skillset"),
    ):
        named = body[member]
        if named is None and member == "skillsetName":
            continue
        if named not in names[kind]:
            raise ServiceError(400, f"This indexer refers to a {noun} '{named}' that doesn't exist")


def _check_skillset(body: Body, _names: Names) -> None:
    skills = body["skills"]
    if not isinstance(skills, list) or not all(isinstance(one, dict) and one.get("@odata.type") for one in skills):
        raise invalid_request("skillset : A skillset needs skills, each with its @odata.type.")


def _check_knowledge_source(body: Body, names: Names) -> None:
    if not body.get("kind"):
        raise invalid_request("knowledgeSource : A knowledge source needs a kind.")
    parameters = body.get("searchIndexParameters") or {}
    named = parameters.get("searchIndexName")
    if body["kind"] == "searchIndex" and named not in names["indexes"]:
        raise ServiceError(400, f"The knowledge source refers to an index '{named}' that doesn't exist.")


def _check_knowledge_base(body: Body, names: Names) -> None:
    for source in body.get("knowledgeSources") or []:
        if source.get("name") not in names["knowledgesources"]:
            raise ServiceError(
                400, f"The knowledge base refers to a knowledge source '{source.get('name')}' that doesn't exist."
            )


KINDS: Mapping[str, Kind] = {
    "synonymmaps": Kind(
        "synonymmaps",
        "synonym map",
        "SynonymMap",
        {"name": None, "format": "solr", "synonyms": None, "encryptionKey": None},
        _check_synonym_map,
        lambda tier: tier.synonym_maps,
    ),
    "aliases": Kind(
        "aliases", "alias", "Alias", {"name": None, "indexes": []}, _check_alias, lambda tier: tier.aliases
    ),
    "datasources": Kind(
        "datasources",
        "data source",
        "DataSource",
        {
            "name": None,
            "description": None,
            "type": None,
            "subtype": None,
            "credentials": None,
            "container": None,
            "dataChangeDetectionPolicy": None,
            "dataDeletionDetectionPolicy": None,
            "encryptionKey": None,
            "identity": None,
        },
        _check_data_source,
        lambda tier: tier.indexers,
        open=True,
    ),
    "indexers": Kind(
        "indexers",
        "indexer",
        "Indexer",
        {
            "name": None,
            "description": None,
            "dataSourceName": None,
            "skillsetName": None,
            "targetIndexName": None,
            "disabled": None,
            "schedule": None,
            "parameters": None,
            "fieldMappings": [],
            "outputFieldMappings": [],
            "cache": None,
            "encryptionKey": None,
        },
        _check_indexer,
        lambda tier: tier.indexers,
    ),
    "skillsets": Kind(
        "skillsets",
        "skillset",
        "Skillset",
        {
            "name": None,
            "description": None,
            "skills": [],
            "cognitiveServices": None,
            "knowledgeStore": None,
            "indexProjections": None,
            "encryptionKey": None,
        },
        _check_skillset,
        lambda tier: tier.indexers,
    ),
    "knowledgesources": Kind(
        "knowledgesources",
        "knowledge source",
        "KnowledgeSource",
        {"name": None, "kind": None, "description": None, "encryptionKey": None},
        _check_knowledge_source,
        lambda tier: tier.indexes,
        open=True,
    ),
    "knowledgebases": Kind(
        "knowledgebases",
        "knowledge base",
        "KnowledgeBase",
        {"name": None, "description": None, "knowledgeSources": [], "models": [], "encryptionKey": None},
        _check_knowledge_base,
        lambda tier: tier.indexes,
        open=True,
    ),
}


def completed(kind: Kind, body: Body, names: Names, version: ApiVersion) -> Body:
    """Check a definition and fill in its defaults."""
    if not kind.open:
        require_members(body, frozenset(kind.defaults), {}, version, kind.model)
    require_shape(kind.name, body, kind.model)
    given = {name: value for name, value in body.items() if name not in {"@odata.etag", "@odata.context"}}
    if not isinstance(given.get("name"), str) or not given["name"]:
        raise invalid_request(f"{kind.model[0].lower()}{kind.model[1:]} : The {kind.noun} must have a name.")
    complete = kind.defaults | {name: value for name, value in given.items() if value is not None}
    kind.check(complete, names)
    if kind.name == "datasources":
        complete["container"] = {"name": None, "query": None} | complete["container"]
    return complete
