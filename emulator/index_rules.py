"""What an index definition must satisfy before it is accepted.

Source: Create Index in the REST reference and the service limits, 2026-09.
"""

import re
from collections.abc import Iterable
from typing import Any

from emulator.failures import ServiceError, invalid_request, operation_not_allowed
from emulator.schema import COMPLEX, SIMPLE_TYPES, VECTOR_TYPES, Field, Schema, element_type, walk
from emulator.tiers import MAX_COMPLEX_COLLECTIONS, MAX_DIMENSIONS, MAX_FIELD_DEPTH, MAX_SCORING_PROFILES, Tier

_INDEX_NAME = re.compile(r"(?!.*[-_]{2})[a-z0-9](?:[a-z0-9_-]{0,126}[a-z0-9])?")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_BUILT_IN = re.compile(r"[a-zA-Z-]+\.(?:lucene|microsoft)|keyword|pattern|simple|standard|stop|whitespace")
_NORMALIZERS = frozenset({"asciifolding", "elision", "lowercase", "standard", "uppercase"})
_FIXED = ("type", "key", "searchable", "filterable", "sortable", "facetable", "stored", "analyzer", "indexAnalyzer")
_MIN_DIMENSIONS = 2
_FIXED_WITH = (*_FIXED, "normalizer", "dimensions", "vectorSearchProfile", "vectorEncoding")
_ANALYSIS = ("analyzers", "tokenizers", "tokenFilters", "charFilters", "normalizers")


def check_name(name: str, noun: str = "index") -> None:
    """Refuse an invalid name of an index or alias."""
    if not _INDEX_NAME.fullmatch(name):
        raise invalid_request(
            f"{noun} : Invalid {noun} name: '{name}'. {noun.capitalize()} name must only contain lowercase letters, "
            "digits, dashes or underscores, cannot start or end with these two, or have two of them in a row, and is "
            "limited to 128 characters."
        )


def check(definition: dict[str, Any], tier: Tier, synonym_maps: Iterable[str]) -> Schema:
    """Check a normalised definition; return its schema."""
    check_name(definition["name"])
    _check_names(definition["fields"])
    _check_keys(definition["name"], definition["fields"])
    schema = Schema.of(definition)
    every = list(walk(schema.fields))
    if len(every) > tier.fields_per_index:
        raise invalid_request(
            f"index : The index has {len(every)} fields. Maximum number of fields allowed: {tier.fields_per_index}."
        )
    collections = sum(field.complex and field.collection for field in every)
    if collections > MAX_COMPLEX_COLLECTIONS:
        raise invalid_request(
            f"index : The index has {collections} complex collections. Maximum allowed: {MAX_COMPLEX_COLLECTIONS}."
        )
    for field in every:
        _check_field(field)
    _check_parts(definition, schema, frozenset(synonym_maps))
    return schema


def check_similarity(definition: dict[str, Any]) -> None:
    """Refuse what only indexes made before July 2020 have. Source: Configure relevance scoring, 2026-09."""
    if definition["similarity"]["@odata.type"] == "#Microsoft.Azure.Search.ClassicSimilarity":
        raise invalid_request("index : The similarity algorithm 'ClassicSimilarity' can't be used in a new index.")


def check_update(before: dict[str, Any], after: dict[str, Any], *, downtime_allowed: bool) -> None:
    """Refuse a change that would need a rebuild."""
    _check_fields_kept(before["fields"], after["fields"], "")
    _check_suggesters_of_new_fields(before, after)
    if before["similarity"] != after["similarity"]:
        raise operation_not_allowed("The similarity algorithm of an existing index cannot be changed.", "CannotChange")
    if before["encryptionKey"] != after["encryptionKey"]:
        raise operation_not_allowed("The encryption key of an existing index cannot be changed.", "CannotChange")
    for part in _ANALYSIS:
        existing = {one.get("name"): one for one in before[part]}
        for one in after[part]:
            if one.get("name") in existing and existing[one["name"]] != one:
                raise operation_not_allowed(
                    f"Existing entry '{one['name']}' of {part} cannot be changed.", "CannotChange"
                )
        if len(after[part]) != len(existing) and not downtime_allowed:
            raise operation_not_allowed(
                "Index update not allowed because it would cause downtime. In order to add new analyzers, tokenizers, "
                "token filters, or character filters to an existing index, set the 'allowIndexDowntime' query "
                "parameter to 'true' in the index update request.",
                "IndexUpdateNotAllowed",
            )


def _check_suggesters_of_new_fields(before: dict[str, Any], after: dict[str, Any]) -> None:
    existing = Schema.of(before).by_path
    names = {suggester["name"] for suggester in before["suggesters"]}
    added = [suggester for suggester in after["suggesters"] if suggester["name"] not in names]
    present = [path for suggester in added for path in suggester["sourceFields"] if path in existing]
    if present:
        raise ServiceError(
            400,
            f"Fields that were already present in an index ({', '.join(present)}) cannot be referenced by a new "
            "suggester. Only new fields added in the same index update operation are allowed.",
        )


def _check_fields_kept(before: list[dict[str, Any]], after: list[dict[str, Any]], parent: str) -> None:
    now = {field["name"]: field for field in after}
    for field in before:
        path = f"{parent}{field['name']}"
        other = now.get(field["name"])
        if other is None:
            raise operation_not_allowed(f"Existing field '{path}' cannot be deleted.", "CannotDeleteExistingField")
        if any(field.get(name) != other.get(name) for name in _FIXED_WITH):
            raise operation_not_allowed(f"Existing field '{path}' cannot be changed.", "CannotChangeExistingField")
        if "fields" in field:
            _check_fields_kept(field["fields"], other["fields"], f"{path}/")


def _check_names(fields: list[dict[str, Any]], depth: int = 1) -> None:
    if depth > MAX_FIELD_DEPTH:
        raise invalid_request(f"index : Complex fields are nested deeper than {MAX_FIELD_DEPTH} levels.")
    seen: set[str] = set()
    for field in fields:
        name = field["name"]
        if not _FIELD_NAME.fullmatch(name) or name.startswith("azureSearch"):
            raise invalid_request(
                f"index : Invalid field name: '{name}'. Field names must begin with a letter and can contain only "
                "letters, digits, or underscore ('_')."
            )
        if name in seen:
            raise invalid_request(f"index : Found duplicate field name '{name}'. Field names must be unique.")
        seen.add(name)
        if element_type(field["type"])[0] not in SIMPLE_TYPES | VECTOR_TYPES.keys() | {COMPLEX}:
            raise invalid_request(f"index : Field '{name}' has an unknown type '{field['type']}'.")
        if "fields" in field:
            _check_names(field["fields"], depth + 1)


def _check_keys(name: str, fields: list[dict[str, Any]]) -> None:
    keys = [field for field in fields if field.get("key")]
    if len(keys) != 1:
        raise invalid_request(
            f"index : Found {len(keys)} key fields in index '{name}'. Each index must have exactly one key field."
        )
    key = keys[0]
    if key["type"] != "Edm.String":
        raise invalid_request(f"index : The key field '{key['name']}' must be of type Edm.String.")
    if not key["retrievable"]:
        raise invalid_request(f"index : The key field '{key['name']}' must be retrievable.")


def _check_field(field: Field) -> None:
    """Check one field's attributes against its type."""
    problem = _vector_problem(field) if field.vector else _attribute_problem(field)
    if field.key and "/" in field.path:
        problem = "is a key, which only a top-level field can be"
    if not field.stored and not field.vector:
        problem = "has 'stored' set to false, which only a vector field can have"
    if problem:
        raise invalid_request(f"index : Field '{field.path}' {problem}.")


def _attribute_problem(field: Field) -> str | None:
    if field.complex:
        return None
    if field.searchable and field.type != "Edm.String":
        return "is searchable, which only string and vector fields can be"
    if field.sortable and (field.collection or field.inside_collection):
        return "is sortable, which a field with several values for a document cannot be"
    if field.facetable and field.type == "Edm.GeographyPoint":
        return "is facetable, which a geography field cannot be"
    if field.normalizer and (field.type != "Edm.String" or not (field.filterable or field.sortable or field.facetable)):
        return "has a normalizer, which needs a filterable, sortable or facetable string"
    return None


def _vector_problem(field: Field) -> str | None:
    if not field.collection:
        return f"has type {field.type}, which only a collection can have"
    if field.dimensions is None or not _MIN_DIMENSIONS <= field.dimensions <= MAX_DIMENSIONS:
        return f"must have dimensions between {_MIN_DIMENSIONS} and {MAX_DIMENSIONS}"
    if field.filterable or field.sortable or field.facetable or field.key:
        return "is a vector, which cannot be filterable, sortable, facetable or a key"
    if not field.stored and field.retrievable:
        return "is retrievable, which a field that is not stored cannot be"
    return None


def _check_parts(definition: dict[str, Any], schema: Schema, synonym_maps: frozenset[str]) -> None:
    analyzers = {one.get("name") for one in definition["analyzers"]}
    normalizers = {one.get("name") for one in definition["normalizers"]} | _NORMALIZERS
    profiles = {one["name"] for one in (definition["vectorSearch"] or {}).get("profiles", [])}
    for raw in _simple_fields(definition["fields"]):
        for role in ("analyzer", "searchAnalyzer", "indexAnalyzer"):
            if raw[role] and raw[role] not in analyzers and not _BUILT_IN.fullmatch(raw[role]):
                raise invalid_request(f"index : Field '{raw['name']}' names an unknown {role} '{raw[role]}'.")
        if raw["normalizer"] and raw["normalizer"] not in normalizers:
            raise invalid_request(f"index : Field '{raw['name']}' names an unknown normalizer '{raw['normalizer']}'.")
        if element_type(raw["type"])[0] in VECTOR_TYPES and not raw["vectorSearchProfile"]:
            raise invalid_request(
                f"index : The vector field '{raw['name']}' must have the property 'vectorSearchProfile' set."
            )
        if raw["vectorSearchProfile"] and raw["vectorSearchProfile"] not in profiles:
            raise invalid_request(
                f"index : Field '{raw['name']}' names an unknown vector search profile '{raw['vectorSearchProfile']}'."
            )
        for name in raw["synonymMaps"]:
            if name not in synonym_maps:
                raise invalid_request(f"index : Field '{raw['name']}' names a synonym map '{name}' that doesn't exist.")
    _check_searching(definition, schema)
    _check_semantic(definition, schema)


def _check_searching(definition: dict[str, Any], schema: Schema) -> None:
    if len(definition["suggesters"]) > 1:
        raise invalid_request("index : Only one suggester is allowed in an index.")
    for suggester in definition["suggesters"]:
        for path in suggester.get("sourceFields") or []:
            field = schema.by_path.get(path)
            if field is None or not field.searchable:
                raise invalid_request(f"index : The suggester's source field '{path}' is not a searchable field.")
    profiles = [profile["name"] for profile in definition["scoringProfiles"]]
    if len(profiles) > MAX_SCORING_PROFILES:
        raise invalid_request(f"index : An index can have at most {MAX_SCORING_PROFILES} scoring profiles.")
    default = definition["defaultScoringProfile"]
    if default and default not in profiles:
        raise invalid_request(f"index : The default scoring profile '{default}' doesn't exist.")


def _check_semantic(definition: dict[str, Any], schema: Schema) -> None:
    for configuration in (definition["semantic"] or {}).get("configurations") or []:
        prioritized = configuration.get("prioritizedFields") or {}
        named: list[dict[str, Any]] = [prioritized["titleField"]] if prioritized.get("titleField") else []
        named += prioritized.get("prioritizedContentFields") or []
        named += prioritized.get("prioritizedKeywordsFields") or []
        for entry in named:
            if entry.get("fieldName") not in schema.by_path:
                raise ServiceError(
                    400,
                    f"The semantic configuration '{configuration.get('name')}' names a field "
                    f"'{entry.get('fieldName')}' that doesn't exist.",
                )


def _simple_fields(fields: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for field in fields:
        if "fields" in field:
            yield from _simple_fields(field["fields"])
        else:
            yield field
