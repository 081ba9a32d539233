"""No secret of an overlay goes to another host than its own, whatever the definition says."""

import json
from typing import Any

import msgspec
import pytest

from indexvault.restore.patch import patched
from indexvault.restore.secret_hosts import misdirected
from indexvault.settings.overlays import overlay_entry

MODEL = "contoso.openai.azure.com"
KEY = {"env": "KEY", "host": MODEL}
VALUES = {
    "KEY": "model-key-1",
    "URI": "https://contoso.openai.azure.com/embed?code=1",
    "EVIL": "https://evil.example/embed?code=1",
    "BLOBS": "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=aw==;EndpointSuffix=core.windows.net",
    "COSMOS": "AccountEndpoint=https://contoso.documents.azure.com;AccountKey=aw==;Database=d",
    "SQL": "Server=tcp:contoso.database.windows.net,1433;Database=d;User ID=a;Password=b",
    "MONGO": "mongodb://a:b@contoso.mongo.cosmos.azure.com:10255/?ssl=true",
    "BARE": "AccountKey=aw==",
}


def found(definition: Any, patch: Any) -> list[str]:
    entry = overlay_entry(patch, VALUES, "x")
    return misdirected(patched(msgspec.Raw(json.dumps(definition).encode()), entry.marked), entry)


def vectorizer(**parameters: Any) -> dict[str, Any]:
    return {"vectorSearch": {"vectorizers": [{"name": "v", "azureOpenAIParameters": parameters}]}}


GIVES_KEY = {"vectorSearch": {"vectorizers": {"v": {"azureOpenAIParameters": {"apiKey": KEY}}}}}


def test_a_key_goes_to_the_host_beside_it() -> None:
    for uri in (f"https://{MODEL}", f"https://{MODEL.upper()}:443/", f"https://{MODEL}./openai"):
        assert found(vectorizer(resourceUri=uri, apiKey="<redacted>"), GIVES_KEY) == []


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example",
        "https://contoso.openai.azure.com.evil.example",
        "https://contoso.openai.azure.com@evil.example",
        "https://evil.example\\@contoso.openai.azure.com",
        "https://contoso.openai.azure.com\\.evil.example",
        "https://contoso.openai.azure.com:8443",
        "http://contoso.openai.azure.com",
        "//evil.example",
        "evil.example",
        "https:evil.example",
        "https://contoso.openai.azure.com evil.example",
        "https://contoso。openai.azure.com",
        "https://contoso.openai.azure.com%2eevil.example",
        "ftp://contoso.openai.azure.com",
        " https://evil.example",
        "<withheld>",
    ],
)
def test_a_stranger_s_address_gets_no_key(uri: str) -> None:
    told = found(vectorizer(resourceUri=uri, apiKey="<redacted>"), GIVES_KEY)
    assert len(told) == 1
    assert f"vectorSearch.vectorizers.0.azureOpenAIParameters.apiKey is for {MODEL}" in told[0]
    assert "model-key-1" not in told[0]


def test_a_definition_without_an_address_gets_no_key() -> None:
    assert "no address at all" in found(vectorizer(deploymentId="d"), GIVES_KEY)[0]
    assert "no address at all" in found({"vectorSearch": {}}, GIVES_KEY)[0]


@pytest.mark.parametrize(
    "more",
    [
        {"uri": "https://evil.example"},
        {"unheardOf": "https://evil.example"},
        {"nested": {"deeper": [{"endpoint": "https://evil.example"}]}},
        {"RESOURCEURI": "https://evil.example"},
        {"proxy": "wss://evil.example"},
    ],
)
def test_a_second_address_beside_the_first_gets_none_either(more: dict[str, Any]) -> None:
    assert found(vectorizer(resourceUri=f"https://{MODEL}", **more), GIVES_KEY)


def test_of_two_members_of_one_name_neither_is_trusted() -> None:
    text = json.dumps(vectorizer(nested={"uri": f"https://{MODEL}", "URL": "x"})).replace("URL", "uri")
    entry = overlay_entry(GIVES_KEY, VALUES, "x")
    [told] = misdirected(patched(msgspec.Raw(text.encode()), entry.marked), entry)
    assert "two members uri" in told


@pytest.mark.parametrize(
    ("definition", "patch", "outcome"),
    [
        # a header, the address one level up
        (
            {"skills": [{"name": "s", "uri": f"https://{MODEL}/x", "httpHeaders": {}}]},
            {"skills": {"s": {"httpHeaders": {"X-Key": KEY}}}},
            "sent",
        ),
        (
            {"skills": [{"name": "s", "uri": "https://evil.example/x", "httpHeaders": {}}]},
            {"skills": {"s": {"httpHeaders": {"X-Key": KEY}}}},
            "refused",
        ),
        # a header with an address is sent along, and is not where it goes
        (
            {"skills": [{"name": "s", "uri": "https://evil.example", "httpHeaders": {"Referer": f"https://{MODEL}"}}]},
            {"skills": {"s": {"httpHeaders": {"X-Key": KEY}}}},
            "refused",
        ),
        (
            {"skills": [{"name": "s", "uri": "https://evil.example", "httpHeaders": {"x-uri": f"https://{MODEL}"}}]},
            {"skills": {"s": {"httpHeaders": {"X-Key": KEY}}}},
            "refused",
        ),
        (
            {"skills": [{"name": "s", "httpHeaders": {"Referer": f"https://{MODEL}"}}]},
            {"skills": {"s": {"httpHeaders": {"X-Key": KEY}}}},
            "refused",
        ),
        (
            {"skills": [{"name": "s", "uri": f"https://{MODEL}", "httpHeaders": {"Referer": f"https://{MODEL}/a"}}]},
            {"skills": {"s": {"httpHeaders": {"X-Key": KEY}}}},
            "sent",
        ),
        (
            {"encryptionKey": {"keyVaultUri": "https://evil.example", "accessCredentials": {"x": f"https://{MODEL}"}}},
            {"encryptionKey": {"accessCredentials": {"applicationSecret": KEY}}},
            "refused",
        ),
        # another entry of the list is no address for this one
        (
            {"skills": [{"name": "t", "uri": f"https://{MODEL}/x"}, {"name": "s"}]},
            {"skills": {"s": {"apiKey": KEY}}},
            "refused",
        ),
        # an entry that a patch has added under the name of one that an overlay knows
        ({"skills": []}, {"skills": {"s": {"apiKey": KEY}}}, "refused"),
        # an application's secret, the key vault one level up
        (
            {"encryptionKey": {"keyVaultUri": "https://contoso.vault.azure.net", "accessCredentials": {}}},
            {
                "encryptionKey": {
                    "accessCredentials": {"applicationSecret": {"env": "KEY", "host": "contoso.vault.azure.net"}}
                }
            },
            "sent",
        ),
        (
            {"encryptionKey": {"keyVaultUri": "https://evil.vault.azure.net", "accessCredentials": {}}},
            {
                "encryptionKey": {
                    "accessCredentials": {"applicationSecret": {"env": "KEY", "host": "contoso.vault.azure.net"}}
                }
            },
            "refused",
        ),
        # models of a knowledge base, and inside a knowledge source
        (
            {"models": []},
            {"models": [{"azureOpenAIParameters": {"resourceUri": f"https://{MODEL}", "apiKey": KEY}}]},
            "sent",
        ),
        (
            {"azureBlobParameters": {"ingestionParameters": {"aiServices": {"uri": f"https://{MODEL}"}}}},
            {
                "azureBlobParameters": {
                    "ingestionParameters": {"aiServices": {"apiKey": KEY}},
                    "connectionString": {"env": "BLOBS", "host": "contoso.blob.core.windows.net"},
                }
            },
            "sent",
        ),
        (
            {"azureBlobParameters": {"ingestionParameters": {"aiServices": {"uri": "https://evil.example"}}}},
            {"azureBlobParameters": {"ingestionParameters": {"aiServices": {"apiKey": KEY}}}},
            "refused",
        ),
        # the overlay sets the address itself
        (
            vectorizer(resourceUri="https://evil.example"),
            {
                "vectorSearch": {
                    "vectorizers": {"v": {"azureOpenAIParameters": {"resourceUri": f"https://{MODEL}", "apiKey": KEY}}}
                }
            },
            "sent",
        ),
        # an address that is a secret as a whole, and a key beside it
        ({"skills": [{"name": "s"}]}, {"skills": {"s": {"uri": {"env": "URI", "host": MODEL}, "apiKey": KEY}}}, "sent"),
        ({"skills": [{"name": "s"}]}, {"skills": {"s": {"uri": {"env": "EVIL", "host": MODEL}}}}, "refused"),
        (
            {"skills": [{"name": "s"}]},
            {"skills": {"s": {"uri": {"env": "EVIL", "host": "evil.example"}, "apiKey": KEY}}},
            "refused",
        ),
        # accounts of Azure AI services
        (
            {
                "cognitiveServices": {
                    "@odata.type": "#Microsoft.Azure.Search.AIServicesByKey",
                    "subdomainUrl": f"https://{MODEL}",
                }
            },
            {"cognitiveServices": {"key": KEY}},
            "sent",
        ),
        (
            {
                "cognitiveServices": {"@odata.type": "#Microsoft.Azure.Search.CognitiveServicesByKey"},
                "skills": [{"uri": "https://x.example"}],
            },
            {"cognitiveServices": {"key": {"env": "KEY"}}},
            "sent",
        ),
        (
            {
                "cognitiveServices": {
                    "@odata.type": "#Microsoft.Azure.Search.AIServicesByKey",
                    "subdomainUrl": "https://evil.example",
                }
            },
            {"cognitiveServices": {"key": {"env": "KEY"}}},
            "refused",
        ),
        (
            {
                "cognitiveServices": {
                    "@odata.type": "#Microsoft.Azure.Search.CognitiveServicesByKey",
                    "subdomainUrl": "https://evil.example",
                }
            },
            {"cognitiveServices": {"key": {"env": "KEY"}}},
            "refused",
        ),
        (
            {"cognitiveServices": {"@odata.type": "#Microsoft.Azure.Search.AIServicesByKey"}},
            {"cognitiveServices": {"key": {"env": "KEY"}}},
            "refused",
        ),
    ],
)
def test_wherever_a_definition_keeps_addresses(definition: Any, patch: Any, outcome: str) -> None:
    assert (found(definition, patch) == []) == (outcome == "sent")


@pytest.mark.parametrize(
    ("variable", "host", "outcome"),
    [
        ("BLOBS", "contoso.blob.core.windows.net", "sent"),
        ("BLOBS", "contoso.dfs.core.windows.net", "sent"),
        ("BLOBS", "fabrikam.blob.core.windows.net", "refused"),
        ("COSMOS", "contoso.documents.azure.com", "sent"),
        ("COSMOS", "contoso.blob.core.windows.net", "refused"),
        ("SQL", "contoso.database.windows.net", "sent"),
        ("SQL", "fabrikam.database.windows.net", "refused"),
        ("MONGO", "contoso.mongo.cosmos.azure.com", "sent"),
        ("BARE", "contoso.blob.core.windows.net", "refused"),
    ],
)
def test_a_connection_string_names_its_own_host(variable: str, host: str, outcome: str) -> None:
    secret = {"env": variable, "host": host}
    for patch in (
        {"credentials": {"connectionString": secret}},
        {"knowledgeStore": {"storageConnectionString": secret}},
        {"azureBlobParameters": {"connectionString": secret}},
    ):
        assert (found({}, patch) == []) == (outcome == "sent")
