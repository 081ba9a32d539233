"""The data that the SDK's tests and samples expect of a service, and its source distribution leaves out.

The live tests want an index with a suggester `sg`, ten hotels of which they know how many answer to which word, and a
set of sixty. The samples want what the portal's import wizard makes, in Pascal case. Everything is made here; only
the words that a test or sample compares with are theirs.
"""

import random
from collections.abc import Iterator
from typing import Any

type Json = dict[str, Any]

_STRING, _STRINGS = "Edm.String", "Collection(Edm.String)"
_SEED = 20_260_401
_DIMENSIONS = 1536
_PLACES = (("Miami", "FL", -80.19, 25.76), ("Tampa", "FL", -82.46, 27.95), ("Seattle", "WA", -122.33, 47.61))
_NAMES = ("Harbour", "Orchard", "Lantern", "Meadow", "Quarry", "Juniper", "Pavilion", "Bluebell", "Compass", "Willow")
_KINDS = ("House", "Lodge", "Rooms", "Court", "Rest")
_CATEGORIES = ("Budget", "Luxury", "Boutique", "Suite", "Extended-Stay")
_OFFERS = ("free wifi", "coffee in lobby", "a spa", "a boat to the island", "bottled water", "laundry service")


def definition() -> Json:
    """Return the index of the live tests."""
    return {
        "name": "conformance-hotels",
        "fields": [
            _field("hotelId", key=True, filterable=True, sortable=True, facetable=True),
            _field("hotelName", searchable=True, filterable=True, sortable=True),
            _field("description", searchable=True, analyzer="en.lucene"),
            _field("descriptionFr", searchable=True, analyzer="fr.lucene"),
            _field("category", searchable=True, filterable=True, sortable=True, facetable=True),
            _field("tags", _STRINGS, searchable=True, filterable=True, facetable=True),
            _field("parkingIncluded", "Edm.Boolean", filterable=True, sortable=True, facetable=True),
            _field("lastRenovationDate", "Edm.DateTimeOffset", filterable=True, sortable=True, facetable=True),
            _field("rating", "Edm.Int32", filterable=True, sortable=True, facetable=True),
            _field("location", "Edm.GeographyPoint", filterable=True, sortable=True),
            {
                "name": "address",
                "type": "Edm.ComplexType",
                "fields": [
                    _field("streetAddress", searchable=True),
                    _field("city", searchable=True, filterable=True, sortable=True, facetable=True),
                ],
            },
            {
                "name": "rooms",
                "type": "Collection(Edm.ComplexType)",
                "fields": [
                    _field("type", searchable=True, filterable=True, facetable=True),
                    _field("baseRate", "Edm.Double", filterable=True, facetable=True),
                    _field("tags", _STRINGS, searchable=True, filterable=True, facetable=True),
                ],
            },
        ],
        "scoringProfiles": [
            {
                "name": "nearest",
                "functions": [
                    {
                        "type": "distance",
                        "fieldName": "location",
                        "boost": 2,
                        "distance": {"referencePointParameter": "here", "boostingDistance": 50},
                    }
                ],
            }
        ],
        "suggesters": [
            {"name": "sg", "searchMode": "analyzingInfixMatching", "sourceFields": ["description", "hotelName"]}
        ],
    }


def ten() -> list[Json]:
    """Return the hotels 1 to 10.

    Seven answer to "hotel", two to "motel", and to "wifi" four of the category Budget and one of Luxury. The words
    that begin with "mot" are in the description of hotel 2 and in the name of hotel 9. Some hotels lack most fields.
    """
    return [
        _hotel(1, "Grand Orchard", "A hotel for long evenings: a terrace, a spa and a patient staff.", "Luxury")
        | {"tags": ["terrace", "wifi", "concierge"], "rating": 5, "lastRenovationDate": "2019-05-01T00:00:00Z"},
        _hotel(2, "Wayside Court", "Cheapest hotel in town. Infact, a motel.", "Budget")
        | {"tags": ["budget"], "rating": 1, "lastRenovationDate": "1983-11-30T12:30:00.125Z"},
        _hotel(3, "Lantern Rooms", "The hotel that the whole street knows", "Budget") | {"tags": ["wifi", "budget"]},
        _hotel(4, "Meadow Rest", "A decent hotel beside the park", "Budget") | {"tags": ["wifi", "budget"]},
        _hotel(5, "Quarry House", "One more decent hotel, further out", "Budget") | {"tags": ["budget", "wifi"]},
        {"hotelId": "6", "description": "Dearer than it looks. The suites have a view of the harbour."},
        {"hotelId": "7", "hotelName": "Compass Court", "description": "New walls, kind people, clean rooms."},
        {"hotelId": "8", "description": "Some noise from the road.", "descriptionFr": "On entend la route, un peu."},
        _hotel(9, "Secret Point Motel", "The hotel stands on the busiest street of the city.", "Boutique")
        | {"tags": ["pool"], "lastRenovationDate": "1970-01-18T00:00:00-05:00", **_address("1 Main Street", "Tampa")}
        | {"rooms": [_room("Budget Room", 96.9, "kettle"), _room("Suite", 180.09)]},
        _hotel(10, "Willow Hotel", "Half the price of the others, with free WiFi and a bowling alley.", "Budget")
        | {"tags": ["restaurant"], **_address("20 Mill Road", "Miami"), "rooms": [_room("Suite", 244.0, "desk")]},
    ]


def sixty() -> list[Json]:
    """Return sixty hotels of the same shape: more than one page without `top` holds."""
    rng = random.Random(_SEED)
    return [
        _hotel(at, name, f"Rooms with {rng.choice(_OFFERS)}.", rng.choice(_CATEGORIES))
        | {"tags": rng.sample(_OFFERS, 2), "rating": rng.randint(1, 5)}
        for at, name in zip(range(1, 61), _hotel_names(), strict=False)
    ]


def sample_definition(name: str) -> Json:
    """Return the index of the samples."""
    return {
        "name": name,
        "fields": [
            _field("HotelId", key=True, filterable=True, sortable=True, facetable=True),
            _field("HotelName", searchable=True, filterable=True, sortable=True),
            _field("Description", searchable=True, analyzer="en.lucene"),
            _field("Description_fr", searchable=True, analyzer="fr.lucene"),
            _field("Category", searchable=True, filterable=True, sortable=True, facetable=True),
            _field("Tags", _STRINGS, searchable=True, filterable=True, facetable=True),
            _field("ParkingIncluded", "Edm.Boolean", filterable=True, sortable=True, facetable=True),
            _field("LastRenovationDate", "Edm.DateTimeOffset", filterable=True, sortable=True, facetable=True),
            _field("Rating", "Edm.Double", filterable=True, sortable=True, facetable=True),
            {
                "name": "Address",
                "type": "Edm.ComplexType",
                "fields": [
                    _field(child, searchable=True, filterable=True, sortable=True, facetable=True)
                    for child in ("City", "StateProvince", "Country")
                ],
            },
            _field("Location", "Edm.GeographyPoint", filterable=True, sortable=True),
        ],
        "suggesters": [
            {"name": "sg", "searchMode": "analyzingInfixMatching", "sourceFields": ["HotelName", "Description", "Tags"]}
        ],
    }


def sample_hotels() -> list[Json]:
    """Return the hotels of the samples."""
    rng = random.Random(_SEED)
    hotels = []
    for at, name in zip(range(1, 51), _hotel_names(), strict=False):
        city, state, longitude, latitude = rng.choice(_PLACES)
        offers = rng.sample(_OFFERS, 3)
        hotels.append(
            {
                "HotelId": str(at),
                "HotelName": name,
                "Description": f"In {city}, with {offers[0]}.",
                "Category": rng.choice(_CATEGORIES),
                "Tags": offers[1:],
                "ParkingIncluded": rng.random() < 0.5,
                "LastRenovationDate": f"{rng.randint(1980, 2025)}-04-01T00:00:00Z",
                "Rating": rng.randint(20, 50) / 10,
                "Address": {"City": city, "StateProvince": state, "Country": "USA"},
                "Location": {"type": "Point", "coordinates": [longitude, latitude]},
            }
        )
    return hotels


def sample_hotels_with_vectors() -> list[Json]:
    """Return hotels for the sample of vector queries."""
    members = ("HotelId", "HotelName", "Description", "Category", "Tags")
    return [
        {name: hotel[name] for name in members} | {"DescriptionVector": vector(hotel["HotelName"])}
        for hotel in sample_hotels()[:5]
    ]


def vector(text: str) -> list[float]:
    """Return a meaningless embedding of a text, the same every time."""
    rng = random.Random(text)
    return [round(rng.uniform(-1, 1), 4) for _ in range(_DIMENSIONS)]


def _field(name: str, kind: str = _STRING, *, analyzer: str | None = None, **attributes: bool) -> Json:
    every = dict.fromkeys(("key", "searchable", "filterable", "sortable", "facetable"), False)
    return {"name": name, "type": kind, **every, "retrievable": True, **attributes, "analyzer": analyzer}


def _hotel(at: int, name: str, description: str, category: str) -> Json:
    return {
        "hotelId": str(at),
        "hotelName": name,
        "description": description,
        "descriptionFr": "Une maison tranquille.",
        "category": category,
        "parkingIncluded": at % 2 == 0,
        "rating": 4,
        "location": {"type": "Point", "coordinates": [-80.19 - at / 10, 25.76 + at / 10]},
    }


def _address(street: str, city: str) -> Json:
    return {"address": {"streetAddress": street, "city": city}}


def _room(kind: str, rate: float, *tags: str) -> Json:
    return {"type": kind, "baseRate": rate, "tags": list(tags)}


def _hotel_names() -> Iterator[str]:
    for number in range(1, 100):
        for kind in _KINDS:
            for name in _NAMES:
                yield f"{name} {kind}" if number == 1 else f"{name} {kind} {number}"
