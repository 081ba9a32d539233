"""Three pairs between two regions, one of each mode, and what is on their primaries."""

import json
import random
from collections.abc import Sequence
from typing import Any

from tests.disaster.dumps import ask
from tests.disaster.ledger import Ledger, Write
from tests.disaster.processes import Region
from tests.disaster.traffic import ALIAS, INDEX, document

COLD, WARM, HOT = "cold", "warm", "hot"
PAIRS = (COLD, WARM, HOT)
EVERY_MINUTE = "0 * * * * *"
RECOVERY_POINT, RECOVERY_TIME = "PT2M", "PT5M"
SYNONYMS = {"name": "words", "format": "solr", "synonyms": "birch, larch => tree"}
DEFINITION: dict[str, Any] = {
    "name": INDEX,
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "seq", "type": "Edm.Int64", "filterable": True, "sortable": True},
        {"name": "title", "type": "Edm.String", "searchable": True},
        {"name": "text", "type": "Edm.String", "searchable": True, "synonymMaps": ["words"]},
    ],
}


def east(pair: str) -> str:
    """Return the primary of a pair."""
    return f"{pair}-east"


def west(pair: str) -> str:
    """Return the service of a pair in the other region."""
    return f"{pair}-west"


def settings(regions: dict[str, Region], pairs: Sequence[str]) -> dict[str, Any]:
    """Return the settings of the app and the command line, which are the same everywhere."""
    return {
        "stores": {
            name: {"region": region.place, "connection_string": {"env": f"STORE_{name.upper()}"}}
            for name, region in regions.items()
        },
        "services": {
            service: {
                "endpoint": region.endpoint(service),
                "region": region.place,
                "tier": "standard",
                "store": name,
                "api_key": {"env": "SEARCH_KEY"},
                "settle_seconds": 30,
            }
            for name, region in regions.items()
            for service in region.services
        },
        "policies": {
            f"{pair}-{name}": {
                "service": f"{pair}-{name}",
                "schedule": EVERY_MINUTE,
                "replicate_to": ["west" if name == "east" else "east"],
            }
            for pair in pairs
            if pair != HOT
            for name in regions
        },
        "pairs": {
            pair: {
                "primary": east(pair),
                "standby": west(pair),
                "mode": f"hot-{pair}",
                "recovery_point": RECOVERY_POINT,
                "recovery_time": RECOVERY_TIME,
                "allow_cross_region": True,
                **({"drift_schedule": EVERY_MINUTE} if pair == HOT else {}),
            }
            for pair in pairs
        },
        "record_key": {"env": "RECORD_KEY"},
    }


def environment(
    regions: dict[str, Region], pairs: Sequence[str], *, search_key: str, blob_key: str, record_key: str
) -> dict[str, str]:
    """Return the variables that the app and the command line need."""
    return {
        "INDEXVAULT_CONFIG": json.dumps(settings(regions, pairs)),
        "SEARCH_KEY": search_key,
        "RECORD_KEY": record_key,
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "HOST_LOG_LEVEL": "INFO",
        "HOST_FUNCTION_KEY": "function-key",
        "HOST_MASTER_KEY": "master-key",
        **{f"STORE_{name.upper()}": region.connection_string(blob_key) for name, region in regions.items()},
    }


def fill(endpoint: str, key: str, service: str, documents: int, ledger: Ledger) -> list[str]:
    """Make the index, the synonym map and the alias on a service, and return the keys of its documents."""
    rng = random.Random("documents")
    ask(endpoint, key, "PUT", "/synonymmaps('words')", SYNONYMS)
    ask(endpoint, key, "PUT", f"/indexes('{INDEX}')", DEFINITION)
    ask(endpoint, key, "PUT", f"/aliases('{ALIAS}')", {"name": ALIAS, "indexes": [INDEX]})
    made = [document(f"product-{number:08}", number, rng) for number in range(1, documents + 1)]
    for start in range(0, len(made), 1000):
        batch = [{"@search.action": "upload", **each} for each in made[start : start + 1000]]
        ask(endpoint, key, "POST", f"/indexes('{INDEX}')/docs/search.index", {"value": batch})
    ledger.add(Write(each["seq"], each["id"], each, service, 0.0, 0.0) for each in made)
    return [each["id"] for each in made]
