"""Valid examples of everything that is parsed, for the fuzzer to damage."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

NOW = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
_ID = "20261120T023000Z-7f3a9c"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


DOCUMENTS: list[dict[str, Any]] = [
    {
        "HotelId": f"hotel-{number}",
        "Name": "H\u00f4tel \u2605",
        "Rating": 4.5,
        "Big": 2**60,
        "Tags": ["pool", "view"],
        "Opened": "2026-11-20T02:30:00.001Z",
        "Vector": [0.1, -2, 3e-5],
        "Location": {"type": "Point", "coordinates": [-73.9, 40.7], "crs": {"type": "name"}},
        "Address": {"City": "Bern", "Parking": True, "Empty": None},
        "Rooms": [{"Type": "suite", "BaseRate": 97.5, "Beds": []}, {"Type": None, "BaseRate": 1, "Beds": [1]}],
    }
    for number in range(3)
]
LINES = [_json(document) for document in DOCUMENTS]
PAGES = [
    _json(
        {
            "@odata.context": "https://x.example/indexes('hotels')/$metadata#docs(*)",
            "@odata.count": 3,
            "@search.coverage": 100.0,
            "@search.facets": {"Tags": [{"count": 2, "value": "pool"}, {"count": 1, "value": 4.5}]},
            "value": [{"@search.score": 1.0} | document for document in DOCUMENTS],
        }
    ),
    _json({"value": [], "@odata.count": 0, "@search.nextPageParameters": {"skip": 50}}),
    _json({"value": [{"@search.score": 1, "@search.highlights": None, "HotelId": "1"}]}),
]
BATCH_ANSWERS = [
    _json(
        {
            "value": [
                {"key": "1", "status": True, "errorMessage": None, "statusCode": 201},
                {"key": "2", "status": False, "errorMessage": "The value 'x' is\nwrong", "statusCode": 400},
            ]
        }
    )
]
_COUNTERS = ("documentCount", "indexesCount", "storageSize", "indexersCount", "skillsetCount", "vectorIndexSize")
STATISTICS = [
    _json(
        {
            "counters": {name: {"usage": 5, "quota": None} for name in _COUNTERS},
            "limits": {"maxFieldsPerIndex": 1000, "maxStoragePerIndex": 1, "maxFieldNestingDepthPerIndex": 10},
        }
    ),
    _json({"documentCount": 239, "storageSize": 72375, "vectorIndexSize": 0}),
]
DEFINITION: dict[str, Any] = {
    "@odata.context": "https://x.example/$metadata#indexes/$entity",
    "@odata.etag": '"0x8DE"',
    "name": "hotels",
    "fields": [
        {"name": "HotelId", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "Name", "type": "Edm.String", "synonymMaps": ["stars"], "normalizer": None},
        {"name": "Rating", "type": "Edm.Double", "sortable": True, "facetable": True},
        {"name": "Big", "type": "Edm.Int64"},
        {"name": "Tags", "type": "Collection(Edm.String)", "facetable": True},
        {"name": "Opened", "type": "Edm.DateTimeOffset", "sortable": True},
        {"name": "Vector", "type": "Collection(Edm.Single)", "dimensions": 3, "retrievable": True, "stored": True},
        {"name": "Location", "type": "Edm.GeographyPoint"},
        {"name": "Address", "type": "Edm.ComplexType", "fields": [{"name": "City", "type": "Edm.String"}]},
        {
            "name": "Rooms",
            "type": "Collection(Edm.ComplexType)",
            "fields": [
                {"name": "Type", "type": "Edm.String", "retrievable": False},
                {"name": "BaseRate", "type": "Edm.Double"},
                {"name": "Beds", "type": "Collection(Edm.Int32)"},
            ],
        },
    ],
    "scoringProfiles": [{"name": "near", "functions": []}],
    "encryptionKey": {"keyVaultUri": "https://v.example", "accessCredentials": {"applicationSecret": None}},
    "vectorSearch": {"profiles": [{"name": "p"}], "vectorizers": [{"name": "v", "apiKey": "<redacted>"}]},
}
SKILLSET: dict[str, Any] = {
    "name": "skills",
    "skills": [
        {
            "@odata.type": "#Microsoft.Skills.Custom.WebApiSkill",
            "name": "#1",
            "uri": "https://f.example/api?code=a-secret-of-many-letters",
            "httpHeaders": {"x-functions-key": "k", "accept": "text/plain"},
        }
    ],
    "indexProjections": {"selectors": [{"targetIndexName": "hotels"}]},
}
DATA_SOURCE: dict[str, Any] = {
    "name": "blobs",
    "type": "azureblob",
    "credentials": {"connectionString": "ResourceId=/subscriptions/s;"},
    "container": {"name": "c"},
}
DEFINITIONS = [_json(each) for each in (DEFINITION, SKILLSET, DATA_SOURCE)]
LISTS = [_json({"value": [SKILLSET, DATA_SOURCE]}), _json({"value": [{"name": "hotels"}]})]
ALIASES = [
    _json({"@odata.etag": '"1"', "name": "live", "indexes": ["hotels"]}),
    _json({"value": [{"@odata.etag": '"1"', "name": "live", "indexes": ["hotels"]}, {"name": "b", "indexes": []}]}),
]
ERRORS = [
    _json({"error": {"code": "", "message": "The field 'x' is\nnot known."}}),
    _json(
        {
            "type": "urn:indexvault:conflict",
            "title": "Something is in the way",
            "status": 409,
            "detail": "x: y. z",
            "kind": "ConflictError",
            "what": "y",
            "on": "x",
            "do": "z",
            "member": "",
        }
    ),
]
FAILURES = [
    'ActivityFailedError: indexvault-error:{"kind":"ConflictError","what":"in the way","on":"a","do":"b"} at line 3',
    "something else failed",
]
SERVICE_MANIFESTS = [
    _json(
        {
            "format": "indexvault/2",
            "id": _ID,
            "service": "contoso-east",
            "state": "lossy",
            "created": "2026-11-20T02:30:00Z",
            "tool": "indexvault 0.1.0",
            "run": "run-1",
            "objects": [
                {
                    "kind": "skillsets",
                    "name": "skills",
                    "definition": {"stable": {"api_version": "2026-04-01", "body": SKILLSET}, "preview": None},
                }
            ],
            "withheld": [{"kind": "skillsets", "name": "skills", "path": "skills/0/uri"}],
            "skipped": [{"kind": "knowledgebases", "api_version": "2026-04-01", "reason": "not known"}],
        }
    )
]
_SERVICE = {"endpoint": "https://contoso.search.windows.net", "region": "eastus", "tier": "standard", "store": "east"}
SETTINGS = [
    _json(
        {
            "stores": {
                "east": {"region": "eastus", "account_url": "https://acc.blob.core.windows.net"},
                "local": {"region": "local", "connection_string": "UseDevelopmentStorage=true"},
                "west": {"region": "westus2", "connection_string": {"env": "WEST"}},
            },
            "services": {
                "contoso-east": _SERVICE | {"pressure": {"most_at_once": 4, "requests_per_second": 2.5}},
                "contoso-local": _SERVICE | {"endpoint": "http://127.0.0.1:8800", "api_key": {"env": "KEY"}},
            },
            "policies": {
                "nightly": {
                    "service": "contoso-east",
                    "schedule": "0 0 2 * * *",
                    "indexes": ["*", "!tmp-*"],
                    "keep": {"last": 3, "daily": 7, "weekly": 4, "within": "P30D"},
                    "hidden_fields": "reveal",
                    "full_every": "P90D",
                    "replicate_to": ["west"],
                    "verify_within": "P91D",
                }
            },
            "allow_cross_region": False,
            "overlays": {
                "west": {
                    "datasources/blobs": {
                        "credentials": {"connectionString": {"env": "WEST", "host": "a.blob.core.windows.net"}}
                    },
                    "indexes/hotels": {
                        "vectorSearch": {"vectorizers": {"ada": {"apiKey": {"env": "KEY", "host": "a.example"}}}}
                    },
                }
            },
        }
    )
]
PATCHES = [
    _json({"fields": {"Rating": {"facetable": False}, "Tags": None, "New": {"type": "Edm.Double"}}}),
    _json({"scoringProfiles": [], "vectorSearch": {"vectorizers": {"v": {"kind": "azureOpenAI"}}}}),
    _json({"fields": {"Rooms": {"fields": {"Type": {"retrievable": True}}}}, "similarity": {"k1": 1.2}}),
]
BACKUP_REQUESTS = [_json({"service": "contoso-east", "indexes": ["hotels", "h*", "!tmp-*"]})]
RESTORE_REQUESTS = [
    _json(
        {
            "snapshot": "contoso-east/hotels@latest",
            "target_service": "contoso-west",
            "target_index": "inns",
            "mode": "replace",
            "alias": "live",
            "patch": {"fields": {"Rating": {"facetable": True}}},
            "overlay": "west",
            "keys": ["1", "2"],
            "filter": "Rating >= `4`",
            "accept_loss": True,
            "dry_run": True,
        }
    )
]
MOVE_REQUESTS = [
    _json(
        {
            "service": "contoso-east",
            "index": "hotels",
            "target_service": "contoso-west",
            "snapshot": f"contoso-east/hotels@{_ID}",
            "patch": {"fields": {"Tags": None}},
            "delete_source": True,
        }
    )
]
PARAMETERS: list[dict[str, str]] = [
    {"service": "contoso-east", "index": "hotels", "id": "latest"},
    {"service": "contoso-east", "index": "hotels", "limit": "20"},
    {"run": "20261120T023000Z-backup-7f3a9c"},
    {"sharing": "true"},
    {"limit": "200"},
]
REFERENCES = [
    "contoso-east/hotels@latest",
    f"contoso-east/hotels@{_ID}",
    "contoso-east/hotels@2026-11-20T02:30:00.5+01:00",
    "contoso-east/hotels@20261120",
    "contoso-east/$service@2026-11-20 02:30",
    "contoso-east/hotels",
    "contoso-east",
    f"contoso-east/hotels/manifests/{_ID}.json",
    f"contoso=2Deast/$service/manifests/{_ID}.json",
    f"contoso-east/hotels/packs/{'0a' * 32}.jsonl.gz",
    f"contoso-east/hotels/segments/20261120T023000Z/{'0a' * 32}.jsonl.gz",
    "h=C3=B4tels",
    "records/20261120T023000Z-backup-7f3a9c.json",
    "https://contoso-vault.azurewebsites.net/api",
    "http://[::1]:7071",
    "3/12",
]
SCHEDULES = ["0 0 2 * * *", "0 */5 * * * *", "0 0 0 29 feb mon", "0,30 1-5/2 3 1,15 jan-jun sun", "59 59 23 31 12 6"]
PATTERNS = ["*", "hotels-*", "!tmp-*", "h*o*t*e*l*s", "a_b-c"]
FILTERS = [
    "Rating >= `4`",
    "contains(Tags, 'pool')",
    "Address.City == 'Bern' && Rooms[?BaseRate > `50`].Type",
    "sort_by(Rooms, &BaseRate)[-1].Type | to_string(@)",
]
RULES = ["*=dr-*", "hotels=inns", "old-*-x=new-*"]
ARGUMENTS = [
    ["backup", "contoso-east", "hotels", "h*", "--hidden-fields", "report", "--dry-run", "--parallel", "8"],
    [
        "restore",
        "contoso-east/hotels@latest",
        "--to",
        "contoso-west/inns",
        "--mode",
        "sync",
        "--document",
        "1",
        "--resume",
    ],
    ["restore", "contoso-east@latest", "--to", "contoso-west", "--rename", "*=dr-*", "--indexes", "hotels"],
    [
        "restore",
        "contoso-east/hotels@latest",
        "--to",
        "contoso-west",
        "--filter",
        "Rating >= `4`",
        "--patch",
        "no.json",
    ],
    [
        "move",
        "contoso-east/hotels",
        "--to",
        "contoso-west",
        "--snapshot",
        "contoso-east/hotels@latest",
        "--delete-source",
    ],
    ["--json", "--log-level", "debug", "verify", "contoso-east/hotels", "--sample", "3/12"],
    ["--url", "https://vault.example", "--key", "k", "runs"],
    ["snapshots", "contoso-east", "--json"],
    ["pin", "contoso-east/hotels@latest", "--reason", "audit"],
    ["unpin", "contoso-east/hotels@latest"],
    ["diff", "contoso-east/hotels@latest", "contoso-east/hotels", "--fields"],
    ["find", "contoso-east/hotels", "1", "--show"],
    ["export", "contoso-east/hotels@latest", "folder"],
    ["import", "folder", "--as", "contoso-east/hotels"],
    ["prune", "contoso-east/hotels", "--dry-run"],
    ["repair", "contoso-east/hotels@latest", "--store", "west"],
    ["replicate", "contoso-east", "--to", "west"],
    ["unlock", "contoso-east/hotels"],
    ["heal", "contoso-east"],
    ["show", "contoso-east/hotels@latest"],
    ["cancel", "20261120T023000Z-backup-7f3a9c"],
    ["check"],
]
FOLDER: dict[str, bytes] = {
    "definition.json": DEFINITIONS[0],
    "definition.preview.json": DEFINITIONS[0],
    "documents.jsonl": b"\n".join(LINES) + b"\n",
    "snapshot.json": _json(
        {
            "reference": f"contoso-east/hotels@{_ID}",
            "created": "2026-11-20T02:30:00+00:00",
            "tool": "indexvault 0.1.0",
            "key_field": "HotelId",
            "documents": 3,
            "state": "complete",
            "losses": [{"field": "Secret", "reason": "hidden"}],
            "stable_version": "2026-04-01",
            "preview_version": "2026-08-01-preview",
        }
    ),
    "synonym-maps/stars.json": _json({"name": "stars", "format": "solr", "synonyms": "star, \u2605"}),
}


def example_of(kind: Any, rng: random.Random) -> bytes:
    """Return the JSON of some value of a type that msgspec knows."""
    return _json(_value(inspect.type_info(kind), rng, 5))


def _value(kind: inspect.Type, rng: random.Random, depth: int) -> Any:  # noqa: C901, PLR0911, PLR0912 - a table of types
    match kind:
        case inspect.StructType():
            tag = {} if kind.tag_field is None else {kind.tag_field: kind.tag}
            return tag | {
                each.encode_name: _value(each.type, rng, depth - 1)
                for each in kind.fields
                if each.required or rng.random() < 0.7
            }
        case inspect.UnionType():
            return _value(rng.choice(kind.types), rng, depth)
        case inspect.StrType():
            if kind.pattern is not None and "64" in kind.pattern:
                return "0a" * 32
            return rng.choice(("hotels", "contoso-east", _ID, "", "run-1"))
        case inspect.DateTimeType():
            aware = ("2026-11-20T02:30:00Z", "2026-11-19T23:30:00.25+01:00")
            return rng.choice(aware if kind.tz or rng.random() < 0.9 else ("2026-11-20T02:30:00",))
        case inspect.TimeDeltaType():
            return "P30D"
        case inspect.BoolType():
            return rng.random() < 0.5
        case inspect.IntType():
            return rng.choice((0, 1, 7, 2**40))
        case inspect.FloatType():
            return rng.choice((0.5, 2.0))
        case inspect.LiteralType():
            return rng.choice(kind.values)
        case inspect.TupleType():
            return [_value(each, rng, depth - 1) for each in kind.item_types]
        case inspect.CollectionType():
            return [] if depth < 0 else [_value(kind.item_type, rng, depth - 1) for _ in range(rng.randrange(3))]
        case inspect.DictType():
            return {} if depth < 0 else {"index": _value(kind.value_type, rng, depth - 1)}
        case inspect.NoneType():
            return None
        case inspect.RawType():
            return rng.choice((DEFINITION, SKILLSET))
        case _:
            return rng.choice((None, 1, "x", {}, []))


def metadata_of(summary: msgspec.Struct) -> dict[str, str]:
    """Return the members of a summary as blob metadata, by the names they have there."""
    return {name.replace("_", ""): str(value) for name, value in msgspec.to_builtins(summary).items()}
