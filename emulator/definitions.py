"""Index definitions: the defaults that are filled in, per api-version.

Source: recorded traffic of the official SDKs' tests, and the REST specification for members added since.
"""

from typing import Any

from emulator.definition_shapes import require_shape
from emulator.failures import invalid_request
from emulator.redaction import redacted
from emulator.schema import COMPLEX, VECTOR_TYPES, element_type
from emulator.versions import (
    ENCRYPTION_MEMBERS,
    FIELD_MEMBERS,
    INDEX_MEMBERS,
    ApiVersion,
    require_members,
    visible_members,
)

_INDEX_BASE = frozenset(
    {
        "name",
        "fields",
        "scoringProfiles",
        "defaultScoringProfile",
        "corsOptions",
        "suggesters",
        "analyzers",
        "tokenizers",
        "tokenFilters",
        "charFilters",
        "encryptionKey",
    }
)
_FIELD_BASE = frozenset(
    {
        "name",
        "type",
        "key",
        "retrievable",
        "searchable",
        "filterable",
        "sortable",
        "facetable",
        "analyzer",
        "searchAnalyzer",
        "indexAnalyzer",
        "synonymMaps",
        "fields",
    }
)
_SIMILARITY = "#Microsoft.Azure.Search.BM25Similarity"
_OWN_LISTS = ("suggesters", "analyzers", "normalizers", "tokenizers", "tokenFilters", "charFilters")


def normalised(body: dict[str, Any], version: ApiVersion) -> dict[str, Any]:
    """Check a definition's members against the version, and fill in what the service fills in."""
    require_members(body, _INDEX_BASE, INDEX_MEMBERS, version, "IndexDefinition")
    require_shape("indexes", body, "Index")
    fields = body.get("fields")
    if not isinstance(body.get("name"), str) or not isinstance(fields, list) or not fields:
        raise invalid_request("index : The index must have a name and at least one field.")
    definition: dict[str, Any] = {
        "name": body["name"],
        "description": body.get("description"),
        "permissionFilterOption": body.get("permissionFilterOption"),
        "purviewEnabled": body.get("purviewEnabled"),
        "sharePointConnectorAppRegistration": body.get("sharePointConnectorAppRegistration"),
        "defaultScoringProfile": body.get("defaultScoringProfile"),
        "fields": [_field(field, version, in_collection=False) for field in fields],
        "scoringProfiles": [_scoring_profile(profile) for profile in body.get("scoringProfiles") or []],
        "corsOptions": _cors(body.get("corsOptions")),
    }
    definition |= {name: body.get(name) or [] for name in _OWN_LISTS}
    definition["suggesters"] = [{"searchMode": "analyzingInfixMatching", **one} for one in definition["suggesters"]]
    definition["encryptionKey"] = body.get("encryptionKey")
    similarity = {"@odata.type": _SIMILARITY} | (body.get("similarity") or {})
    parameters = {"k1": None, "b": None} if similarity["@odata.type"] == _SIMILARITY else {}
    definition["similarity"] = {"@odata.type": None} | parameters | similarity
    definition["semantic"] = body.get("semantic")
    definition["vectorSearch"] = _vector_search(body.get("vectorSearch"))
    return definition


def read_back(definition: dict[str, Any], version: ApiVersion) -> dict[str, Any]:
    """Return a stored definition as this version of the API shows it, without its secrets."""
    shown: dict[str, Any] = redacted(visible_members(definition, INDEX_MEMBERS, version))
    shown["fields"] = [_shown_field(field, version) for field in shown["fields"]]
    if isinstance(shown.get("encryptionKey"), dict):
        shown["encryptionKey"] = visible_members(shown["encryptionKey"], ENCRYPTION_MEMBERS, version)
    return shown


def is_newer(definition: dict[str, Any], version: ApiVersion) -> bool:
    """Return whether a stored definition uses what this version of the API does not know."""
    if _sets_unknown(definition, INDEX_MEMBERS, version):
        return True
    if _sets_unknown(definition.get("encryptionKey") or {}, ENCRYPTION_MEMBERS, version):
        return True
    return any(_is_newer_field(field, version) for field in definition["fields"])


def _is_newer_field(field: dict[str, Any], version: ApiVersion) -> bool:
    return _sets_unknown(field, FIELD_MEMBERS, version) or any(
        _is_newer_field(child, version) for child in field.get("fields", [])
    )


def _sets_unknown(members: dict[str, Any], newer: dict[str, tuple[str, str]], version: ApiVersion) -> bool:
    return any(members.get(name) and not version.knows(since) for name, since in newer.items())


def with_unknown_kept(after: dict[str, Any], before: dict[str, Any], version: ApiVersion) -> dict[str, Any]:
    """Keep from the replaced definition what the request's version can't express."""
    kept = after | {name: before.get(name) for name, since in INDEX_MEMBERS.items() if not version.knows(since)}
    kept["fields"] = _fields_with_unknown_kept(kept["fields"], before["fields"], version)
    return kept


def _fields_with_unknown_kept(
    after: list[dict[str, Any]], before: list[dict[str, Any]], version: ApiVersion
) -> list[dict[str, Any]]:
    earlier = {field["name"]: field for field in before}
    kept = []
    for field in after:
        old = earlier.get(field["name"], {})
        unknown = {name: old[name] for name, since in FIELD_MEMBERS.items() if name in old and not version.knows(since)}
        changed = field | unknown
        if "fields" in field:
            changed["fields"] = _fields_with_unknown_kept(field["fields"], old.get("fields", []), version)
        kept.append(changed)
    return kept


def _shown_field(field: dict[str, Any], version: ApiVersion) -> dict[str, Any]:
    shown = visible_members(field, FIELD_MEMBERS, version)
    if "fields" in shown:
        shown["fields"] = [_shown_field(child, version) for child in shown["fields"]]
    return shown


def _field(raw: object, version: ApiVersion, *, in_collection: bool) -> dict[str, Any]:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or not isinstance(raw.get("type"), str):
        raise invalid_request("index : Each field must have a name and a type.")
    require_members(raw, _FIELD_BASE, FIELD_MEMBERS, version, "SearchField")
    kind, collection = element_type(raw["type"])
    if kind == COMPLEX:
        return _complex_field(raw, version, in_collection=in_collection or collection)
    if raw.get("fields"):
        raise invalid_request(f"index : Field '{raw['name']}' is not complex and can't have sub-fields.")
    text = kind == "Edm.String"
    vector = kind in VECTOR_TYPES
    point = kind == "Edm.GeographyPoint"
    defaults: dict[str, Any] = {
        "searchable": text or vector,
        "filterable": not vector,
        "retrievable": not vector,
        "stored": True,
        "sortable": not (collection or in_collection or vector),
        "facetable": not (vector or point),
        "key": False,
        "indexAnalyzer": None,
        "searchAnalyzer": None,
        "analyzer": None,
        "normalizer": None,
        "dimensions": None,
        "vectorSearchProfile": None,
        "vectorEncoding": None,
        "synonymMaps": [],
        "permissionFilter": None,
        "sensitivityLabel": None,
        "sensitivityLabelId": None,
        "sensitivityLabelName": None,
        "sourceDocumentId": None,
        "sharepointSiteUrl": None,
    }
    given = {name: value for name, value in raw.items() if value is not None and name != "fields"}
    return {"name": raw["name"], "type": raw["type"]} | {
        name: given.get(name, default) for name, default in defaults.items()
    }


def _complex_field(raw: dict[str, Any], version: ApiVersion, *, in_collection: bool) -> dict[str, Any]:
    children = raw.get("fields")
    if not isinstance(children, list) or not children:
        raise invalid_request(f"index : Complex field '{raw['name']}' must have at least one sub-field.")
    for name, value in raw.items():
        if name not in {"name", "type", "fields"} and value not in (None, [], False):
            raise invalid_request(
                f"index : Complex field '{raw['name']}' has '{name}' set. It must be null on a complex field."
            )
    return {
        "name": raw["name"],
        "type": raw["type"],
        "fields": [_field(child, version, in_collection=in_collection) for child in children],
    }


def _scoring_profile(raw: dict[str, Any]) -> dict[str, Any]:
    functions = raw.get("functions") or []
    default = "sum" if functions else None
    return {
        "name": raw.get("name"),
        "functionAggregation": raw.get("functionAggregation") or default,
        "text": raw.get("text"),
        "functions": [_scoring_function(function) for function in functions],
    }


def _scoring_function(raw: dict[str, Any]) -> dict[str, Any]:
    function = {
        "fieldName": None,
        "interpolation": "linear",
        "type": None,
        "boost": None,
        "freshness": None,
        "magnitude": None,
        "distance": None,
        "tag": None,
    }
    return function | {name: value for name, value in raw.items() if value is not None}


def _cors(raw: dict[str, Any] | None) -> dict[str, Any] | None:
    if raw is None:
        return None
    return {"allowedOrigins": raw.get("allowedOrigins"), "maxAgeInSeconds": raw.get("maxAgeInSeconds")}


def _vector_search(raw: dict[str, Any] | None) -> dict[str, Any] | None:
    if raw is None:
        return None
    return {
        "algorithms": [_algorithm(one) for one in raw.get("algorithms") or []],
        "profiles": [
            {"name": None, "algorithm": None, "vectorizer": None, "compression": None} | one
            for one in raw.get("profiles") or []
        ],
        "vectorizers": raw.get("vectorizers") or [],
        "compressions": raw.get("compressions") or [],
    }


def _algorithm(raw: dict[str, Any]) -> dict[str, Any]:
    kind = raw.get("kind")
    hnsw = {"metric": "cosine", "m": 4, "efConstruction": 400, "efSearch": 500} if kind == "hnsw" else None
    exhaustive = {"metric": "cosine"} if kind == "exhaustiveKnn" else None
    given_hnsw, given_exhaustive = raw.get("hnswParameters"), raw.get("exhaustiveKnnParameters")
    return {
        "name": raw.get("name"),
        "kind": kind,
        "hnswParameters": hnsw | (given_hnsw or {}) if hnsw else given_hnsw,
        "exhaustiveKnnParameters": exhaustive | (given_exhaustive or {}) if exhaustive else given_exhaustive,
    }
