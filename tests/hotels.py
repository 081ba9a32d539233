"""An index with every type of field, and generated documents for it."""

import random
from typing import Any

from hypothesis import strategies as st

DEFINITION: dict[str, Any] = {
    "name": "hotels",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True, "retrievable": True},
        {"name": "name", "type": "Edm.String", "searchable": True, "retrievable": True, "synonymMaps": []},
        {"name": "stars", "type": "Edm.Int32", "filterable": True},
        {"name": "visits", "type": "Edm.Int64"},
        {"name": "rating", "type": "Edm.Double", "sortable": True, "filterable": True},
        {"name": "open", "type": "Edm.Boolean"},
        {"name": "built", "type": "Edm.DateTimeOffset"},
        {"name": "place", "type": "Edm.GeographyPoint"},
        {"name": "tags", "type": "Collection(Edm.String)"},
        {"name": "dates", "type": "Collection(Edm.DateTimeOffset)"},
        {
            "name": "vector",
            "type": "Collection(Edm.Single)",
            "dimensions": 4,
            "vectorSearchProfile": "plain",
            "searchable": True,
            "retrievable": True,
            "stored": True,
        },
        {
            "name": "address",
            "type": "Edm.ComplexType",
            "fields": [{"name": "city", "type": "Edm.String"}, {"name": "postcode", "type": "Edm.String"}],
        },
        {
            "name": "rooms",
            "type": "Collection(Edm.ComplexType)",
            "fields": [
                {"name": "kind", "type": "Edm.String"},
                {"name": "rate", "type": "Edm.Double"},
                {"name": "beds", "type": "Collection(Edm.String)"},
            ],
        },
    ],
    "vectorSearch": {
        "algorithms": [{"name": "graph", "kind": "hnsw"}],
        "profiles": [{"name": "plain", "algorithm": "graph"}],
    },
}


def definition(**changes: Any) -> dict[str, Any]:
    """Return the definition with other top-level members."""
    return DEFINITION | changes


def with_field(name: str, **changes: Any) -> dict[str, Any]:
    """Return the definition with one field changed."""
    fields = [field | changes if field["name"] == name else field for field in DEFINITION["fields"]]
    return DEFINITION | {"fields": fields}


def hotels(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return documents whose keys are spread out and rise."""
    rng = random.Random(seed)
    return [
        {
            "id": f"h{number:06}",
            "name": f"Hotel {number} 'Zum Löwen' \u2028 \\ \"quoted\"",
            "stars": rng.randint(1, 5),
            "visits": rng.randint(0, 2**53),
            "rating": rng.random() * 5,
            "open": rng.random() < 0.5,
            "built": f"{rng.randint(1900, 2020)}-0{rng.randint(1, 9)}-11T10:20:30.{rng.randint(0, 999):03}Z",
            "place": {"type": "Point", "coordinates": [rng.uniform(-180, 180), rng.uniform(-90, 90)]},
            "tags": [rng.choice(["pool", "bar", "view"]) for _ in range(rng.randint(0, 3))],
            "vector": [rng.uniform(-1, 1) for _ in range(4)],
            "address": None if rng.random() < 0.1 else {"city": "Oslo", "postcode": f"{rng.randint(0, 9999):04}"},
            "rooms": [{"kind": "single", "rate": 99.5, "beds": ["queen"]}] * rng.randint(0, 3),
        }
        for number in range(count)
    ]


keys = st.from_regex(r"[A-Za-z0-9=-][A-Za-z0-9_=-]{0,20}", fullmatch=True)
documents = st.lists(
    st.fixed_dictionaries(
        {"id": keys},
        optional={
            "name": st.none() | st.text(max_size=30),
            "stars": st.none() | st.integers(-(2**31), 2**31 - 1),
            "visits": st.none() | st.integers(-(2**63), 2**63 - 1),
            "rating": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "open": st.none() | st.booleans(),
            "tags": st.lists(st.text(max_size=10), max_size=3),
            "vector": st.none() | st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4),
            "address": st.none() | st.fixed_dictionaries({}, optional={"city": st.none() | st.text(max_size=10)}),
        },
    ),
    max_size=20,
    unique_by=lambda document: str(document["id"]),
)
