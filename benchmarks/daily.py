"""The documents of an index on consecutive days, for measurements of what daily snapshots store."""

import random
from collections.abc import Iterator, Mapping

from benchmarks.corpora import CORPORA, Corpus, Writer, changed_documents, key_of
from benchmarks.snapshot_data import document, random_key

SHARE = 0.005
"""The share of documents that changes each day, at random keys."""
_TEXT_BYTES = 240


def days_of_kilobytes(documents: int, days: int) -> Iterator[Mapping[str, bytes]]:
    """Yield an index's documents of 1 kB by key, day after day. It is one mapping, which the next day changes."""
    rng = random.Random(5)  # noqa: S311 - repeatable data, not secrets
    lines = {key: document(key) for key in map(random_key, range(documents))}
    yield lines
    for day in range(1, days):
        for number in rng.sample(range(documents), round(documents * SHARE)):
            lines[random_key(number)] = document(random_key(number), day)
        yield lines


def days_of_rows(documents: int, days: int, seed: int = 1) -> Iterator[Mapping[str, bytes]]:
    """Yield an index's documents of 370 bytes by key, day after day. It is one mapping, which the next day changes."""
    write = ROWS.writer(random.Random(seed))  # noqa: S311 - repeatable data, not secrets
    lines = {key: write(key) for key in map(key_of, range(documents))}
    yield lines
    for day in range(1, days):
        lines.update(changed_documents(ROWS, list(lines), SHARE, seed * 1000 + day))
        yield lines


def _rows(rng: random.Random) -> Writer:
    words = CORPORA["text"].writer(rng)
    pool = [words("").partition(b'"text":"')[2][:_TEXT_BYTES].decode() for _ in range(5000)]

    def write(key: str) -> bytes:
        return (
            f'{{"id":"{key}","text":"{rng.choice(pool)}","rating":{rng.random() * 5:.2f},"rooms":{rng.randrange(500)},'
            f'"code":"{rng.getrandbits(128):032x}"}}'
        ).encode()

    return write


ROWS = Corpus("rows", (), _rows)
