"""Definitions without secrets keep their bytes: ordinary ones, every model of the SDK, and text of any words."""

import inspect
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import msgspec
import pytest
from azure.search.documents.indexes import models as index_models
from azure.search.documents.knowledgebases import models as knowledge_models
from hypothesis import given
from hypothesis import strategies as st

from indexvault.search.secret_names import holds_only_secret, is_for_address
from indexvault.search.secret_scan import secret_members, without_secrets
from tests import hotels

OPEN_AI = {
    "resourceUri": "https://contoso-eastus2.openai.azure.com/",
    "deploymentId": "text-embedding-3-large",
    "modelName": "text-embedding-3-large",
    "apiKey": "<redacted>",
    "authIdentity": {
        "@odata.type": "#Microsoft.Azure.Search.DataUserAssignedIdentity",
        "userAssignedIdentity": "/subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301/resourcegroups/Search-Prod-01"
        "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/search-id-7",
    },
}
INDEX: dict[str, Any] = hotels.DEFINITION | {
    "@odata.context": "https://contoso.search.windows.net/$metadata#indexes/$entity",
    "@odata.etag": '"0x8DD2F3A9C4B1E70"',
    "name": "idx-0f3c9a7be1d24586bb07c1e2d3a4f596",
    "description": "Hotels by key, see https://wiki.contoso.example/Search/Hotels?page=3#keys. The key: hotel id.",
    "corsOptions": {"allowedOrigins": ["*", "https://app.contoso.example:8443"], "maxAgeInSeconds": 300},
    "scoringProfiles": [{"name": "geo", "text": {"weights": {"name": 1.50, "password": 2}}, "functions": []}],
    "analyzers": [
        {
            "name": "words",
            "@odata.type": "#Microsoft.Azure.Search.CustomAnalyzer",
            "tokenizer": "standard_v2",
            "tokenFilters": ["lowercase", "my_stop"],
            "charFilters": ["strip"],
        },
        {
            "name": "urls",
            "@odata.type": "#Microsoft.Azure.Search.PatternAnalyzer",
            "pattern": r"https?://[^\s?]+\?(?:code|sig)=[^&]*"
            r"|[?&]key=\w{0,3}|(?i)pwd\s*=\s*",
            "stopwords": ["key", "token"],
        },
    ],
    "tokenFilters": [
        {"name": "map", "@odata.type": "#Microsoft.Azure.Search.StemmerOverrideTokenFilter", "rules": ["ran => run"]},
        {
            "name": "syn",
            "@odata.type": "#Microsoft.Azure.Search.SynonymTokenFilter",
            "synonyms": [
                "pwd, password => secret",
                "api key => apikey",
                "passwd=>password",
                "sas, shared access signature",
            ],
        },
        {
            "name": "shingle",
            "@odata.type": "#Microsoft.Azure.Search.ShingleTokenFilter",
            "filterToken": "_",
            "tokenSeparator": "+",
        },
    ],
    "charFilters": [
        {
            "name": "strip",
            "@odata.type": "#Microsoft.Azure.Search.PatternReplaceCharFilter",
            "pattern": "([A-Za-z0-9+/]{86}==)|eyJ[\\w-]+",
            "replacement": "$1",
        },
        {
            "name": "mapping",
            "@odata.type": "#Microsoft.Azure.Search.MappingCharFilter",
            "mappings": ["\\u0020=>_", "@=>at"],
        },
    ],
    "vectorSearch": {
        "algorithms": [{"name": "hnsw-1733148053240", "kind": "hnsw", "hnswParameters": {"m": 4}}],
        "profiles": [{"name": "azureOpenAi-text-profile", "algorithm": "hnsw-1733148053240"}],
        "vectorizers": [
            {"name": "a", "kind": "azureOpenAI", "azureOpenAIParameters": OPEN_AI},
            {
                "name": "b",
                "kind": "customWebApi",
                "customWebApiParameters": {
                    "uri": "https://contoso-embed.azurewebsites.net/api/v2/embed_text?api-version=2024-05-01-preview",
                    "httpHeaders": {"Content-Type": "application/json", "Accept-Language": "de-DE"},
                    "httpMethod": "POST",
                    "timeout": "PT30S",
                    "authResourceId": "api://embed-for-search",
                },
            },
            {
                "name": "c",
                "kind": "aml",
                "amlParameters": {
                    "uri": "https://embed-east.eastus2.inference.ml.azure.com/score",
                    "key": "<redacted>",
                    "modelName": "Cohere-embed-v3-multilingual",
                    "region": "eastus2",
                    "timeout": "PT10S",
                },
            },
        ],
    },
    "encryptionKey": {
        "keyVaultKeyName": "search-key",
        "keyVaultKeyVersion": "0f3c9a7be1d24586bb07c1e2d3a4f596",
        "keyVaultUri": "https://contoso-kv01.vault.azure.net",
        "accessCredentials": {"applicationId": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "applicationSecret": None},
    },
}
OTHERS: list[dict[str, Any]] = [
    {
        "name": "words",
        "format": "solr",
        "synonyms": "USA, United States\npassword => pwd\ntoken = coin, key\nAPI=>interface",
    },
    {
        "name": "blobs",
        "type": "azureblob",
        "container": {"name": "docs", "query": "2024/archive-v2"},
        "credentials": {
            "connectionString": "ResourceId=/subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301"
            "/resourceGroups/g/providers/x;"
        },
    },
    {
        "name": "sql",
        "type": "azuresql",
        "container": {"name": "[dbo].[Hotels]"},
        "credentials": {"connectionString": "Database=hotels;ResourceId=/subscriptions/s/x;Connection Timeout=30;"},
    },
    {
        "name": "cosmos",
        "type": "cosmosdb",
        "container": {"name": "c", "query": "SELECT * FROM c WHERE c._ts >= @HighWaterMark"},
        "credentials": {"connectionString": "ResourceId=/subscriptions/s/x;Database=d;ApiKind=Gremlin;"},
    },
    {
        "name": "pages",
        "type": "sharepoint",
        "container": {"name": "defaultSiteLibrary", "query": None},
        "credentials": {
            "connectionString": "SharePointOnlineEndpoint=https://contoso.sharepoint.com/sites/Search;"
            "ApplicationId=3f2504e0-4f89-41d3-9a0c-0305e82c3301;TenantId=3f2504e0-4f89-41d3-9a0c-0305e82c3301"
        },
    },
    {
        "name": "nightly",
        "dataSourceName": "blobs",
        "targetIndexName": "hotels",
        "schedule": {"interval": "PT2H"},
        "parameters": {
            "batchSize": 10,
            "configuration": {
                "parsingMode": "delimitedText",
                "delimitedTextHeaders": "id,name,api_key,token",
                "delimitedTextDelimiter": "|",
                "excludedFileNameExtensions": ".png,.jpeg",
                "queryTimeout": "00:05:00",
                "executionEnvironment": "private",
                "newMode": "perPage",
            },
        },
        "fieldMappings": [
            {
                "sourceFieldName": "metadata_storage_path",
                "targetFieldName": "id",
                "mappingFunction": {"name": "extractTokenAtPosition", "parameters": {"delimiter": " ", "position": 0}},
            }
        ],
    },
    {
        "name": "enrich",
        "cognitiveServices": {
            "@odata.type": "#Microsoft.Azure.Search.AIServicesByKey",
            "key": "<redacted>",
            "subdomainUrl": "https://contoso-ai.cognitiveservices.azure.com",
        },
        "skills": [
            {
                "@odata.type": "#Microsoft.Skills.Text.SplitSkill",
                "name": "#1",
                "context": "/document/content/pages/*",
                "inputs": [{"name": "text", "source": "/document/normalized_images/*/text"}],
                "outputs": [],
            },
            {
                "@odata.type": "#Microsoft.Skills.Custom.ChatCompletionSkill",
                "uri": "https://contoso-gpt.openai.azure.com"
                "/openai/deployments/gpt-4o-mini-2024-07-18/chat/completions?api-version=2024-10-21",
                "apiKey": "<redacted>",
                "extraParameters": {"top_p": 0.5, "effort": "medium"},
                "inputs": [
                    {"name": "systemMessage", "source": "='Describe the key points. Use a code of ethics: be kind.'"}
                ],
            },
            {
                "@odata.type": "#Microsoft.Skills.Text.CustomEntityLookupSkill",
                "entitiesDefinitionUri": "https://contoso.blob.core.windows.net/entities/words_v2.json",
                "inlineEntitiesDefinition": [{"name": "key card", "aliases": [{"text": "token"}]}],
            },
            {
                "@odata.type": "#Microsoft.Skills.Util.DocumentExtractionSkill",
                "parsingMode": "default",
                "configuration": {"imageAction": "generateNormalizedImages", "normalizedImageMaxWidth": 2000},
            },
        ],
        "knowledgeStore": {
            "storageConnectionString": None,
            "projections": [{"tables": [{"tableName": "t", "generatedKeyName": "k"}]}],
        },
        "indexProjections": {
            "selectors": [{"targetIndexName": "i", "parentKeyFieldName": "p", "sourceContext": "/document/x"}]
        },
    },
    {
        "name": "base",
        "models": [{"kind": "azureOpenAI", "azureOpenAIParameters": OPEN_AI}],
        "retrievalInstructions": "Ask https://hotels.contoso.example/find?city=Oslo for the key facts.",
        "answerInstructions": "Never tell a password or code: 'unknown' is fine.",
        "knowledgeSources": [{"name": "web"}],
    },
    {
        "name": "web",
        "kind": "web",
        "webParameters": {
            "domains": {
                "allowedDomains": [
                    {"address": "learn.microsoft.com/azure/search", "includeSubpages": True},
                    {"address": "https://contoso.example/a-b/c1"},
                ]
            }
        },
    },
    {
        "name": "lake",
        "kind": "indexedOneLake",
        "indexedOneLakeParameters": {
            "fabricWorkspaceId": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "lakehouseId": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "targetPath": "Files/2024-10",
            "ingestionParameters": {"embeddingModel": {"kind": "azureOpenAI"}},
        },
    },
]


@pytest.mark.parametrize("definition", [INDEX, *OTHERS], ids=lambda definition: definition["name"])
def test_an_ordinary_definition_keeps_its_bytes(definition: dict[str, Any]) -> None:
    assert secret_members(definition) == []
    raw = msgspec.Raw(json.dumps(definition, indent=1).encode())
    assert bytes(without_secrets(raw)) == bytes(raw)


def _members(kind: type[Any]) -> set[str]:
    """Return the members of a model as they are called in JSON. The SDK has no public list of them."""
    found = [(name, field) for part in kind.__mro__ for name, field in vars(part).items()]
    return {field._rest_name_input or name for name, field in found if type(field).__name__ == "_RestField"}


def _models(module: ModuleType) -> Iterator[type[Any]]:
    for _name, kind in inspect.getmembers(module, inspect.isclass):
        if _members(kind):
            yield kind


MODELS = sorted(
    {*_models(index_models), *_models(knowledge_models)}, key=lambda kind: f"{kind.__module__}{kind.__name__}"
)
ORDINARY = [
    "hotel-rooms_v2",
    "en.microsoft",
    "PT2H",
    "/document/content/pages/*",
    "Größe",
    "2024-11-01T00:00:00Z",
    "a b|c",
]


def test_the_sdk_s_models_are_found() -> None:
    assert len(MODELS) > 150
    assert {"SearchIndex", "WebApiSkill", "AzureOpenAIVectorizerParameters"} <= {kind.__name__ for kind in MODELS}


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_every_member_of_the_sdk_s_models_may_hold_an_ordinary_value(kind: type[Any]) -> None:
    for value in ORDINARY:
        definition: dict[str, Any] = {}
        for name in sorted(_members(kind)):
            if holds_only_secret([name]):
                definition[name] = "<redacted>"
            elif is_for_address([name]):
                definition[name] = "https://contoso.example/api/v1"
            elif name.lower() in {"httpheaders", "extraparameters", "configuration"}:
                definition[name] = {"Content-Type": "application/json"} if name == "httpHeaders" else {}
            else:
                definition[name] = value
        assert secret_members(definition) == []


WORDS = st.lists(
    st.sampled_from(
        ["key", "token", "password", "code", "hotel", "=>", "=", ",", "pwd", "\\w+", "[^&]*", "?", "&", "is", "Größe",
         "v1.0", "2024-10-21", "eyJ", "sk-learn", "ghp_", "Bearer", "text-embedding-3-large", "https://contoso.example/a?b=c",
         "https://contoso.example/Docs/Search_2024.pdf", "room-101", "a1", "ISO-8859-1", "/subscriptions/s/x", "@", ":"]
    ),
    max_size=12,
)  # fmt: skip


@given(WORDS, st.sampled_from(["description", "synonyms", "pattern", "context"]))
def test_text_of_words_keeps_its_bytes(words: list[str], name: str) -> None:
    text = ", ".join(words)
    assert secret_members({"a": [{name: text}]}) == []
