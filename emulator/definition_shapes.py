"""The JSON types of those members of definitions that the emulator itself reads; a wrong one refuses the request.

Which members there are is the business of emulator.definitions and emulator.resources: here others are passed over.
Source: the REST specification, version 2026-08-01-preview.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from emulator.failures import invalid_request


class _Shape(msgspec.Struct, rename="camel"):
    pass


class _Named(_Shape):
    name: str


class _MaybeNamed(_Shape):
    name: str | None = None


class _Field(_Shape):
    name: str | None = None
    type: str | None = None
    key: bool | None = None
    retrievable: bool | None = None
    searchable: bool | None = None
    filterable: bool | None = None
    sortable: bool | None = None
    facetable: bool | None = None
    stored: bool | None = None
    analyzer: str | None = None
    search_analyzer: str | None = None
    index_analyzer: str | None = None
    normalizer: str | None = None
    synonym_maps: list[str] | None = None
    dimensions: int | None = None
    vector_search_profile: str | None = None
    vector_encoding: str | None = None
    permission_filter: str | None = None
    sensitivity_label: bool | None = None
    fields: list["_Field"] | None = None


class _Suggester(_Named):
    source_fields: list[str]


class _ScoringProfile(_Named):
    text: dict[str, Any] | None = None
    functions: list[dict[str, Any]] | None = None


class _Cors(_Shape):
    allowed_origins: list[str]
    max_age_in_seconds: int | None = None


class _FieldReference(_Shape):
    field_name: str


class _PrioritizedFields(_Shape):
    title_field: _FieldReference | None = None
    prioritized_content_fields: list[_FieldReference] | None = None
    prioritized_keywords_fields: list[_FieldReference] | None = None


class _SemanticConfiguration(_Named):
    prioritized_fields: _PrioritizedFields | None = None


class _Semantic(_Shape):
    configurations: list[_SemanticConfiguration] | None = None


class _Algorithm(_Named):
    kind: str | None = None
    hnsw_parameters: dict[str, Any] | None = None
    exhaustive_knn_parameters: dict[str, Any] | None = None


class _VectorSearch(_Shape):
    algorithms: list[_Algorithm] | None = None
    profiles: list[_Named] | None = None
    vectorizers: list[_Named] | None = None
    compressions: list[_Named] | None = None


class _Index(_MaybeNamed):
    description: str | None = None
    permission_filter_option: str | None = None
    purview_enabled: bool | None = None
    default_scoring_profile: str | None = None
    fields: list[_Field] | None = None
    scoring_profiles: list[_ScoringProfile] | None = None
    cors_options: _Cors | None = None
    suggesters: list[_Suggester] | None = None
    analyzers: list[_Named] | None = None
    normalizers: list[_Named] | None = None
    tokenizers: list[_Named] | None = None
    token_filters: list[_Named] | None = None
    char_filters: list[_Named] | None = None
    encryption_key: dict[str, Any] | None = None
    similarity: dict[str, Any] | None = None
    semantic: _Semantic | None = None
    vector_search: _VectorSearch | None = None


class _SynonymMap(_MaybeNamed):
    format: str | None = None
    synonyms: str | None = None


class _Alias(_MaybeNamed):
    indexes: list[str] | None = None


class _Credentials(_Shape):
    connection_string: str | None = None


class _DataSource(_MaybeNamed):
    type: str | None = None
    credentials: _Credentials | None = None
    container: _MaybeNamed | None = None


class _Indexer(_MaybeNamed):
    data_source_name: str | None = None
    target_index_name: str | None = None
    skillset_name: str | None = None
    disabled: bool | None = None


class _Skillset(_MaybeNamed):
    skills: list[dict[str, Any]] | None = None


class _SearchIndexParameters(_Shape):
    search_index_name: str | None = None


class _KnowledgeSource(_MaybeNamed):
    kind: str | None = None
    search_index_parameters: _SearchIndexParameters | None = None


class _KnowledgeBase(_MaybeNamed):
    knowledge_sources: list[_Named] | None = None


_SHAPES: Mapping[str, type[_Shape]] = {
    "indexes": _Index,
    "synonymmaps": _SynonymMap,
    "aliases": _Alias,
    "datasources": _DataSource,
    "indexers": _Indexer,
    "skillsets": _Skillset,
    "knowledgesources": _KnowledgeSource,
    "knowledgebases": _KnowledgeBase,
}


def require_shape(kind: str, body: Mapping[str, Any], model: str) -> None:
    """Refuse a definition with a member of the wrong type. `kind` is its collection in the URL."""
    try:
        msgspec.convert(body, type=_SHAPES[kind])
    except msgspec.ValidationError as problem:
        raise invalid_request(f"{model[0].lower()}{model[1:]} : {problem}.") from problem
