"""Corpora from a seed: the same documents for the same name, size and seed, on any machine.

Texts are put together from a pool of sentences, and vectors from a pool of runs of numbers: both pools are far larger
than the 32 KiB that gzip looks back, so documents compress as ones of their own do, and are made quickly.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec

KEY_FIELD = "id"
MEGABYTE = 1_000_000
_SENTENCES = 20_000
_WORDS = 3000
_NUMBERS_A_RUN = 16
_RUNS = 40_000
_DIMENSIONS = 1536
_WIDE_FIELDS = 200
_SYLLABLES = (
    *("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "zu"),
    *("an", "er", "in", "on", "ul"),
)

type Writer = Callable[[str], bytes]
"""Makes the document of a key; each call makes another one."""


class Corpus(msgspec.Struct, frozen=True):
    """Documents of one kind: the fields of their index beside the key, and what makes their writer from an rng."""

    name: str
    fields: tuple[dict[str, Any], ...]
    writer: Callable[[random.Random], Writer]

    def definition(self, index: str) -> dict[str, Any]:
        """Return the definition of an index of this corpus, whose key gives an order."""
        definition: dict[str, Any] = {"name": index, "fields": [_KEY, *self.fields]}
        if any("dimensions" in field for field in self.fields):
            definition["vectorSearch"] = {
                "algorithms": [{"name": "graph", "kind": "hnsw"}],
                "profiles": [{"name": "plain", "algorithm": "graph"}],
            }
        return definition


def documents(corpus: Corpus, size: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield keys and documents until they have `size` bytes with their line feeds. Keys are in no order."""
    write = corpus.writer(random.Random(seed))  # noqa: S311 - repeatable data, not secrets
    made = number = 0
    while made < size:
        key = key_of(number)
        line = write(key)
        yield key, line
        made += len(line) + 1
        number += 1


def changed_documents(corpus: Corpus, keys: Sequence[str], share: float, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield new documents for a share of the keys, which are chosen at random, at least one."""
    rng = random.Random(f"changes {seed}")  # noqa: S311 - repeatable data, not secrets
    write = corpus.writer(rng)
    for key in sorted(rng.sample(sorted(keys), max(1, round(len(keys) * share)))):
        yield key, write(key)


def key_of(number: int) -> str:
    """Return the key of a document: new keys fall anywhere in key order."""
    return f"{number * 2654435761 % 2**32:08x}-{number}"


_OFF = {"searchable": False, "filterable": False, "sortable": False, "facetable": False, "retrievable": True}
_KEY = {"name": KEY_FIELD, "type": "Edm.String", "key": True} | _OFF | {"filterable": True, "sortable": True}


def _field(name: str, edm_type: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": edm_type} | _OFF | more


def _complex(name: str, edm_type: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": edm_type, "fields": list(fields)}


def _sentences(rng: random.Random) -> list[str]:
    """Return sentences of words that are as unevenly frequent as those of a language."""
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randrange(1, 5))) for _ in range(_WORDS)]
    frequencies = list(accumulate(1 / (rank + 3) for rank in range(_WORDS)))
    made = []
    for _ in range(_SENTENCES):
        sentence = " ".join(rng.choices(words, cum_weights=frequencies, k=rng.randrange(8, 22)))
        made.append(f"{sentence.capitalize()}. ")
    return made


def _text(rng: random.Random) -> Writer:
    pool = _sentences(rng)

    def write(key: str) -> bytes:
        title, *body = rng.choices(pool, k=20)
        return (
            f'{{"id":"{key}","title":"{title}","text":"{"".join(body)}","rating":{rng.random() * 5:.3f},'
            f'"changed":"2026-{rng.randrange(1, 13):02}-11T10:{rng.randrange(60):02}:00Z",'
            f'"tags":["{body[0][:9]}","a"]}}'
        ).encode()

    return write


def _small(rng: random.Random) -> Writer:
    pool = [sentence[:60] for sentence in _sentences(rng)]

    def write(key: str) -> bytes:
        return (
            f'{{"id":"{key}","name":"{rng.choice(pool)}","batch":"{rng.getrandbits(128):032x}",'
            f'"amount":{rng.random() * 900:.2f},"units":{rng.randrange(9999)},"open":true,"closed":null,'
            f'"changed":"2026-03-{rng.randrange(1, 29):02}T04:00:00Z"}}'
        ).encode()

    return write


def _vectors(rng: random.Random) -> Writer:
    pool = _sentences(rng)
    runs = [",".join(f"{rng.gauss(0, 0.025):.9f}" for _ in range(_NUMBERS_A_RUN)) for _ in range(_RUNS)]

    def write(key: str) -> bytes:
        vector = ",".join(rng.choices(runs, k=_DIMENSIONS // _NUMBERS_A_RUN))
        return f'{{"id":"{key}","text":"{"".join(rng.choices(pool, k=4))}","vector":[{vector}]}}'.encode()

    return write


def _nested(rng: random.Random) -> Writer:
    pool = _sentences(rng)

    def room() -> str:
        return (
            f'{{"kind":"{rng.choice(pool)[:12]}","description":"{rng.choice(pool)}","rate":{rng.random() * 400:.2f},'
            f'"beds":["double","{rng.randrange(4)} more"],"extras":[{{"name":"{rng.choice(pool)[:20]}",'
            f'"price":{rng.randrange(90)}}},{{"name":"parking","price":null}}]}}'
        )

    def write(key: str) -> bytes:
        rooms = ",".join(room() for _ in range(rng.randrange(4, 16)))
        return (
            f'{{"id":"{key}","name":"{rng.choice(pool)}","address":{{"street":"{rng.choice(pool)[:30]}","city":null,'
            f'"place":{{"type":"Point","coordinates":[{rng.random() * 180:.5f},{rng.random() * 90:.5f}],'
            f'"crs":{{"type":"name","properties":{{"name":"EPSG:4326"}}}}}}}},"rooms":[{rooms}]}}'
        ).encode()

    return write


_WIDE_TYPES = ("Edm.String", "Edm.Int32", "Edm.Double", "Edm.Boolean", "Edm.DateTimeOffset")


def _wide(rng: random.Random) -> Writer:
    pool = [sentence[:24] for sentence in _sentences(rng)]
    formats = ('"{}"', "{}", "{:.4f}", "{}", '"2026-01-{:02}T00:00:00Z"')
    each = len(_WIDE_TYPES)
    members = (f'"field_{number:03}":{formats[number % each]}' for number in range(_WIDE_FIELDS - 1))
    template = '{{"id":"{}",' + ",".join(members) + "}}"
    rows = (_WIDE_FIELDS + each - 2) // each

    def write(key: str) -> bytes:
        values: list[object] = []
        for text in rng.choices(pool, k=rows):
            bits = rng.getrandbits(40)
            values += (text, bits % 90001, rng.random() * 100, "null" if bits & 6 else "true", 1 + bits % 28)
        return template.format(key, *values).encode()

    return write


_STRING = "Edm.String"
CORPORA: Mapping[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            "text",
            (
                _field("title", _STRING, searchable=True),
                _field("text", _STRING, searchable=True),
                _field("rating", "Edm.Double", filterable=True),
                _field("changed", "Edm.DateTimeOffset"),
                _field("tags", "Collection(Edm.String)"),
            ),
            _text,
        ),
        Corpus(
            "small",
            (
                _field("name", _STRING),
                _field("batch", _STRING),
                _field("amount", "Edm.Double"),
                _field("units", "Edm.Int32"),
                _field("open", "Edm.Boolean"),
                _field("closed", "Edm.Boolean"),
                _field("changed", "Edm.DateTimeOffset"),
            ),
            _small,
        ),
        Corpus(
            "vectors",
            (
                _field("text", _STRING, searchable=True),
                _field(
                    "vector",
                    "Collection(Edm.Single)",
                    searchable=True,
                    stored=True,
                    dimensions=_DIMENSIONS,
                    vectorSearchProfile="plain",
                ),
            ),
            _vectors,
        ),
        Corpus(
            "nested",
            (
                _field("name", _STRING, searchable=True),
                _complex(
                    "address",
                    "Edm.ComplexType",
                    _field("street", _STRING),
                    _field("city", _STRING),
                    _field("place", "Edm.GeographyPoint"),
                ),
                _complex(
                    "rooms",
                    "Collection(Edm.ComplexType)",
                    _field("kind", _STRING),
                    _field("description", _STRING),
                    _field("rate", "Edm.Double"),
                    _field("beds", "Collection(Edm.String)"),
                    _complex(
                        "extras",
                        "Collection(Edm.ComplexType)",
                        _field("name", _STRING),
                        _field("price", "Edm.Int32"),
                    ),
                ),
            ),
            _nested,
        ),
        Corpus(
            "wide",
            tuple(
                _field(f"field_{number:03}", _WIDE_TYPES[number % len(_WIDE_TYPES)])
                for number in range(_WIDE_FIELDS - 1)
            ),
            _wide,
        ),
    )
}
