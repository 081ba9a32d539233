"""Secrets of every kind, put wherever people put them: none is in a blob, an output or a log afterwards."""

import gzip
import io
import json
import logging
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient

from indexvault.cli.parser import parse
from indexvault.cli.run import run
from tests.cli.terminal import EAST, STORAGE_VERSION, VERSION, WEST, Terminal, open_terminal

RANDOM = "9f8G7hJ6kL5mN4pQ3rS2tU1vW0xYzAbC"
CANARIES = {f"canary{number:02}": f"{number:02}{RANDOM}" for number in range(40)}
HOST = "contoso.openai.azure.com"


def canary(number: int) -> str:
    return CANARIES[f"canary{number:02}"]


INDEX = {
    "name": "notes",
    "description": f"the key is {canary(1)}; AccountKey={canary(2)}==; password={canary(3)}",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String"},
        {
            "name": "vector",
            "type": "Collection(Edm.Single)",
            "searchable": True,
            "dimensions": 2,
            "vectorSearchProfile": "p",
        },
    ],
    "vectorSearch": {
        "algorithms": [{"name": "h", "kind": "hnsw"}],
        "profiles": [{"name": "p", "algorithm": "h", "vectorizer": "model"}],
        "vectorizers": [
            {
                "name": "model",
                "kind": "azureOpenAI",
                "azureOpenAIParameters": {
                    "resourceUri": f"https://{HOST}",
                    "deploymentId": "embed",
                    "modelName": "text-embedding-3-small",
                    "apiKey": canary(4),
                },
            },
            {
                "name": "own",
                "kind": "customWebApi",
                "customWebApiParameters": {
                    "uri": f"https://functions.example/embed?code={canary(5)}",
                    "httpHeaders": {"X-Key": canary(6), "Authorization": f"Bearer {canary(7)}", "Cookie": canary(8)},
                    "httpMethod": "POST",
                },
            },
        ],
    },
    "encryptionKey": {
        "keyVaultKeyName": "k",
        "keyVaultKeyVersion": "1",
        "keyVaultUri": "https://contoso.vault.azure.net",
        "accessCredentials": {"applicationId": "a", "applicationSecret": canary(9)},
    },
}
SYNONYMS = {"name": "words", "format": "solr", "synonyms": f"a, b\nclient_secret={canary(10)} => c"}
SOURCE = {
    "name": "blobs",
    "type": "azureblob",
    "description": f"https://contoso.blob.core.windows.net/c?sv=1&sig={canary(11)}",
    "credentials": {"connectionString": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={canary(12)}"},
    "container": {"name": "c", "query": None},
}
SKILLS = {
    "name": "enrich",
    "description": f"sig={canary(13)}",
    "skills": [
        {
            "@odata.type": "#Microsoft.Skills.Custom.WebApiSkill",
            "name": "web",
            "uri": f"https://hooks.example/services/{canary(14)}/run?tenant={canary(15)}",
            "httpHeaders": {"X-Tenant-Pass": canary(16), "ocp-apim-subscription-key": canary(17)},
            "inputs": [],
            "outputs": [],
        },
        {
            "@odata.type": "#Microsoft.Skills.Text.AzureOpenAIEmbeddingSkill",
            "name": "embed",
            "resourceUri": f"https://user:{canary(18)}@{HOST}#{canary(19)}",
            "apiKey": canary(20),
            "inputs": [],
            "outputs": [],
        },
        {
            "@odata.type": "#Microsoft.Skills.Custom.ChatCompletionSkill",
            "name": "chat",
            "uri": f"https://{HOST}/;session={canary(21)}",
            "extraParameters": {"user": canary(22), "nested": {"any": canary(23)}},
            "inputs": [],
            "outputs": [],
        },
    ],
    "cognitiveServices": {"@odata.type": "#Microsoft.Azure.Search.CognitiveServicesByKey", "key": canary(24)},
    "knowledgeStore": {"storageConnectionString": f"AccountName=a;AccountKey={canary(25)}", "projections": []},
}
INDEXER = {
    "name": "fill",
    "dataSourceName": "blobs",
    "skillsetName": "enrich",
    "targetIndexName": "notes",
    "parameters": {"configuration": {"anything": canary(26)}},
}


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    handlers, levels = logging.root.handlers, [each.level for each in loggers]
    yield
    logging.root.handlers = handlers
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)


@pytest.fixture
def terminal(storage_account: str) -> Iterator[Terminal]:
    with open_terminal(storage_account) as opened:
        opened.environment |= {
            "INDEXVAULT_RECORD_KEY": f"{canary(30)}{canary(31)}",
            "MODEL": canary(32),
            "PLACE": f"https://functions.example/embed?code={canary(33)}",
            "BLOBS": f"DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey={canary(34)}==",
        }
        opened.settings["record_key"] = {"env": "INDEXVAULT_RECORD_KEY"}
        model = {"env": "MODEL", "host": HOST}
        vectorizers = {
            "model": {"azureOpenAIParameters": {"apiKey": model}},
            "own": {
                "customWebApiParameters": {"uri": {"env": "PLACE", "host": "functions.example"}, "httpHeaders": None}
            },
        }
        opened.settings["overlays"] = {
            "dr": {
                "indexes/notes": {
                    "vectorSearch": {"vectorizers": vectorizers},
                    "encryptionKey": None,
                    "description": None,
                },
                "datasources/blobs": {
                    "credentials": {
                        "connectionString": {"env": "BLOBS", "host": "contoso.blob.core.windows.net"},
                    }
                },
            },
            "elsewhere": {
                "indexes/notes": {
                    "vectorSearch": {
                        "vectorizers": {
                            "model": {"azureOpenAIParameters": {"apiKey": {"env": "MODEL", "host": "other.example"}}}
                        }
                    }
                }
            },
        }
        yield opened


def stored(connection_string: str) -> dict[str, str]:
    """Return every blob of the account as text, decompressed, with its name and metadata."""
    found = {}
    with BlobServiceClient.from_connection_string(connection_string, api_version=STORAGE_VERSION) as account:
        for container in account.list_containers():
            client = account.get_container_client(container.name)
            for blob in client.list_blobs(include=["metadata"]):
                data = client.download_blob(blob.name).readall()
                text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
                found[blob.name] = f"{blob.name} {json.dumps(blob.metadata)} {text.decode(errors='replace')}"
    return found


def test_no_canary_is_in_a_blob_an_output_or_a_log(terminal: Terminal) -> None:
    for path, body in (("synonymmaps/words", SYNONYMS), ("indexes/notes", INDEX), ("datasources/blobs", SOURCE)):
        terminal.east.put(path, body)
    for path, body in (("skillsets/enrich", SKILLS), ("indexers/fill", INDEXER)):
        terminal.east.put(path, body)
    actions = [{"id": f"{number:03}", "text": "words", "vector": [0.5, 1]} for number in range(50)]
    terminal.east.call("POST", f"/indexes/notes/docs/index?api-version={VERSION}", {"value": actions})
    said = {}
    for name, *arguments in (
        ("check", "check"),
        ("backup", "backup", EAST),
        ("show", "show", f"{EAST}/notes@latest"),
        ("refused", "restore", f"{EAST}/notes@latest", "--to", WEST, "--accept-loss", "--overlay", "elsewhere"),
        ("index", "restore", f"{EAST}/notes@latest", "--to", WEST, "--accept-loss", "--overlay", "dr"),
        ("service", "restore", f"{EAST}@latest", "--to", WEST, "--accept-loss", "--overlay", "dr"),
        ("verify", "verify", EAST),
    ):
        out, err = io.StringIO(), io.StringIO()
        variables = {"INDEXVAULT_CONFIG": json.dumps(terminal.settings), **terminal.environment}
        code = run(parse([*arguments, "--log-level", "debug", "--json"]), variables, stdout=out, stderr=err)
        said[name] = (code, out.getvalue() + err.getvalue())
    assert said["backup"][0] in {0, 3}, said["backup"]
    assert (said["show"][0], said["verify"][0]) == (0, 0), said
    assert said["refused"][0] == 2, said["refused"]
    assert "is for other.example, and would go to contoso.openai.azure.com" in said["refused"][1]
    assert "notes" in terminal.west.indexes, said["index"]
    blobs = stored(terminal.connection_string)
    assert any('"text":"words"' in text for text in blobs.values())
    assert max(text.count("<withheld>") for text in blobs.values()) > 10
    kept = {
        f"{name} in {place}"
        for name, value in CANARIES.items()
        for place, text in [*blobs.items(), *((verb, each) for verb, (_code, each) in said.items())]
        if value in text
    }
    assert kept == set()
