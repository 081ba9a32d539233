"""Invented hotels: an index with a field of every type, its synonym map, and documents generated from a seed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

INDEX = "hotels"
SYNONYM_MAP = "lodging-words"
DOCUMENTS = 20_000
SEED = 2026

_SINGLE_DIMENSIONS, _HALF_DIMENSIONS, _SMALL_DIMENSIONS, _BITS = 16, 8, 8, 64
_PLACES = [
    ("Lisboa", "Portugal", -9.14, 38.71),
    ("Sarajevo", "Bosna i Hercegovina", 18.41, 43.86),
    ("Kraków", "Polska", 19.94, 50.06),
    ("Windhoek", "Namibia", 17.08, -22.56),
    ("Valparaíso", "Chile", -71.62, -33.05),
    ("金沢市", "日本", 136.66, 36.56),
    ("St John's", "Canada", -52.71, 47.56),
]
_ADJECTIVES = [
    "Quiet",
    "Golden",
    "Old",
    "Northern",
    "Hidden",
    "Blue",
    "Grand",
    "Crooked",
    "Little",
    'So-called "Royal"',
]
_NOUNS = [
    "Harbour",
    "Mill",
    "Orchard",
    "Lantern",
    "Observatory",
    "Bridge",
    "Garden",
    "Owl",
    "Terrace",
    "Weaver's House",
]
_SENTENCES = [
    "Breakfast is served until noon, and nobody minds if it is later.",
    "The tram stops at the door; the last one leaves at 23:40.",
    "Rooms at the back look over the roofs to the water.",
    "The lift is from 1911 and takes two persons or one suitcase.",
    "Dogs are welcome, and there is a garden for them.",
    "Ask for the key to the roof: the view is worth the stairs.",
    "Every room has a desk, a good lamp and thick walls.",
    "The owner speaks four languages and is silent in all of them before eight.",
]
_CATEGORIES = ["boutique", "budget", "guesthouse", "resort", "hostel"]
_TAGS = ["view", "pool", "wifi", "sauna", "parking", "library", "24-hour desk", "bar", "garden", "late check-out"]
_ROOM_KINDS = ["single", "double", "twin", "suite", "family"]
_BEGINNING = datetime(1995, 1, 1, tzinfo=UTC)


def definition() -> bytes:
    """Return the index's definition, as JSON."""
    fields = [
        _field("HotelId", "Edm.String", key=True, filterable=True, sortable=True),
        _field("Name", "Edm.String", searchable=True, sortable=True, synonymMaps=[SYNONYM_MAP]),
        _field("Description", "Edm.String", searchable=True, analyzer="en.lucene"),
        _field("Category", "Edm.String", filterable=True, facetable=True),
        _field("Stars", "Edm.Int32", filterable=True, facetable=True),
        _field("Visits", "Edm.Int64", sortable=True),
        _field("Rating", "Edm.Double", sortable=True, filterable=True),
        _field("HasParking", "Edm.Boolean", filterable=True),
        _field("Renovated", "Edm.DateTimeOffset", sortable=True),
        _field("Location", "Edm.GeographyPoint", filterable=True, sortable=True),
        _field("Tags", "Collection(Edm.String)", searchable=True, facetable=True),
        _field("FloorNumbers", "Collection(Edm.Int32)", filterable=True),
        _field("LedgerNumbers", "Collection(Edm.Int64)"),
        _field("RatingsByYear", "Collection(Edm.Double)"),
        _field("OpenInMonth", "Collection(Edm.Boolean)"),
        _field("Inspected", "Collection(Edm.DateTimeOffset)"),
        _field("Entrances", "Collection(Edm.GeographyPoint)"),
        _complex("Address", "Edm.ComplexType", [
            _field("Street", "Edm.String", searchable=True),
            _field("City", "Edm.String", searchable=True, filterable=True, facetable=True),
            _field("Country", "Edm.String", filterable=True),
        ]),
        _complex("Rooms", "Collection(Edm.ComplexType)", [
            _field("Kind", "Edm.String", filterable=True, facetable=True),
            _field("Rate", "Edm.Double", filterable=True),
            _field("Sleeps", "Edm.Int32"),
            _field("Features", "Collection(Edm.String)", searchable=True),
            _complex("Beds", "Collection(Edm.ComplexType)", [
                _field("Width", "Edm.Int32"),
                _field("Note", "Edm.String"),
            ]),
        ]),
        _vector("DescriptionVector", "Collection(Edm.Single)", _SINGLE_DIMENSIONS),
        _vector("PhotoVector", "Collection(Edm.Half)", _HALF_DIMENSIONS),
        _vector("ReviewVector", "Collection(Edm.Int16)", _SMALL_DIMENSIONS),
        _vector("PriceVector", "Collection(Edm.SByte)", _SMALL_DIMENSIONS),
        _vector("AmenityVector", "Collection(Edm.Byte)", _BITS, profile="bits", vectorEncoding="packedBit"),
    ]  # fmt: skip
    return msgspec.json.encode(
        {
            "name": INDEX,
            "fields": fields,
            "suggesters": [{"name": "by-name", "searchMode": "analyzingInfixMatching", "sourceFields": ["Name"]}],
            "vectorSearch": {
                "algorithms": [
                    {"name": "graph", "kind": "hnsw", "hnswParameters": {"metric": "cosine"}},
                    {"name": "bit-graph", "kind": "hnsw", "hnswParameters": {"metric": "hamming"}},
                ],
                "profiles": [
                    {"name": "numbers", "algorithm": "graph"},
                    {"name": "bits", "algorithm": "bit-graph"},
                ],
            },
        }
    )


def synonym_map() -> bytes:
    """Return the synonym map that the index's names are searched with, as JSON."""
    rules = "inn, guesthouse, pension\nharbour, harbor, port\nmill, watermill => mill"
    return msgspec.json.encode({"name": SYNONYM_MAP, "format": "solr", "synonyms": rules})


def documents(number: int = DOCUMENTS, seed: int = SEED) -> Iterator[tuple[str, bytes]]:
    """Yield keys and documents, as JSON; the same seed yields the same ones."""
    rng = random.Random(seed)  # noqa: S311 - test data, repeatable
    for position in range(number):
        key = f"hotel-{position:06d}"
        yield key, msgspec.json.encode(_hotel(key, rng))


def _hotel(key: str, rng: random.Random) -> dict[str, Any]:
    city, country, longitude, latitude = rng.choice(_PLACES)
    floors = rng.randint(1, 9)
    return {
        "HotelId": key,
        "Name": f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}",
        "Description": " ".join(rng.sample(_SENTENCES, 2)),
        "Category": rng.choice([*_CATEGORIES, None]),
        "Stars": rng.randint(1, 5),
        "Visits": rng.randint(2**31, 2**62),
        "Rating": rng.choice([round(rng.uniform(1, 5), 2), None, "NaN"]),
        "HasParking": rng.random() < 0.5,  # noqa: PLR2004 - one in two
        "Renovated": _moment(rng),
        "Location": _point(rng, longitude, latitude),
        "Tags": rng.sample(_TAGS, rng.randint(0, 4)),
        "FloorNumbers": list(range(floors)),
        "LedgerNumbers": [rng.randint(0, 2**60) for _ in range(2)],
        "RatingsByYear": [round(rng.uniform(1, 5), 1) for _ in range(4)],
        "OpenInMonth": [rng.random() < 0.8 for _ in range(12)],  # noqa: PLR2004 - most months
        "Inspected": sorted(_moment(rng) for _ in range(rng.randint(0, 3))),
        "Entrances": [_point(rng, longitude, latitude) for _ in range(rng.randint(0, 2))],
        "Address": {
            "Street": f"{rng.choice(_NOUNS)} Street {rng.randint(1, 200)}",
            "City": city,
            "Country": country,
        },
        "Rooms": [_room(rng) for _ in range(rng.randint(0, 2))],
        "DescriptionVector": [round(rng.uniform(-1, 1), 5) for _ in range(_SINGLE_DIMENSIONS)],
        "PhotoVector": [rng.randint(-1024, 1024) / 1024 for _ in range(_HALF_DIMENSIONS)],
        "ReviewVector": [rng.randint(-(2**15), 2**15 - 1) for _ in range(_SMALL_DIMENSIONS)],
        "PriceVector": [rng.randint(-128, 127) for _ in range(_SMALL_DIMENSIONS)],
        "AmenityVector": [rng.randint(0, 255) for _ in range(_BITS // 8)],
    }  # fmt: skip


def _room(rng: random.Random) -> dict[str, Any]:
    return {
        "Kind": rng.choice(_ROOM_KINDS),
        "Rate": round(rng.uniform(30, 400), 2),
        "Sleeps": rng.randint(1, 5),
        "Features": rng.sample(_TAGS, rng.randint(0, 2)),
        "Beds": [
            {"Width": rng.choice([90, 140, 180]), "Note": rng.choice([None, "squeaks"])}
            for _ in range(rng.randint(1, 2))
        ],
    }


def _moment(rng: random.Random) -> str:
    moment = _BEGINNING + timedelta(milliseconds=rng.randrange(30 * 365 * 86_400_000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _point(rng: random.Random, longitude: float, latitude: float) -> dict[str, Any]:
    spread = [round(centre + rng.uniform(-0.05, 0.05), 6) for centre in (longitude, latitude)]
    return {"type": "Point", "coordinates": spread}


def _field(name: str, kind: str, **attributes: Any) -> dict[str, Any]:
    unset = dict.fromkeys(("searchable", "filterable", "sortable", "facetable"), False)
    return {"name": name, "type": kind, "retrievable": True} | unset | attributes


def _complex(name: str, kind: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "type": kind, "fields": fields}


def _vector(name: str, kind: str, dimensions: int, *, profile: str = "numbers", **attributes: Any) -> dict[str, Any]:
    return _field(
        name, kind, searchable=True, stored=True, dimensions=dimensions, vectorSearchProfile=profile, **attributes
    )
