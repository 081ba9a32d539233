"""How deep what comes from outside may nest, and how many bytes it may have."""

import gzip
import json
import random
import re
import zlib

import msgspec
import pytest

from indexvault.bounds import (
    MEBIBYTE,
    MOST_LEVELS_READ,
    BoundedBody,
    BrokenBodyError,
    OversizedBodyError,
    check_levels,
    decode,
)
from indexvault.errors import UNDECODABLE


def levels(text: bytes) -> int:
    """Count byte by byte."""
    reached = most = 0
    for byte in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", text):
        reached += (byte in b"[{") - (byte in b"]}")
        most = max(most, reached)
    return most


def nested(rng: random.Random, depth: int) -> object:
    if depth <= 0:
        return rng.choice([1, 'a"b', "[[[[", "]]]]", '\\"{{{', "\\\\", '"', "\\", None])
    inner = [nested(rng, depth - rng.choice([1, 1, 3])) for _ in range(rng.choice([1, 1, 2]))]
    return inner if rng.random() < 0.5 else {f'k"\\[{at}': each for at, each in enumerate(inner)}


@pytest.mark.parametrize("seed", range(20))
def test_levels_are_counted_as_a_parser_counts_them(seed: int) -> None:
    rng = random.Random(seed)
    text = b"[%s]" % b",".join(json.dumps(nested(rng, rng.randrange(9))).encode() for _ in range(40))
    deepest = levels(text)
    check_levels(text, deepest)
    with pytest.raises(msgspec.DecodeError, match="deeper"):
        check_levels(text, deepest - 1)


@pytest.mark.parametrize("before", range(-3, 4))
@pytest.mark.parametrize("sign", [b'"', b"\\", b'\\"', b"\\\\", b'\\\\"', b"x"])
def test_a_string_across_two_windows(before: int, sign: bytes) -> None:
    text = b'["' + b"a" * (MEBIBYTE + before - 2) + sign.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'[[[[","'
    text += b'",' + b"[" * 9 + b"]" * 9 + b"]"
    json.loads(text)
    check_levels(text, 10)
    with pytest.raises(msgspec.DecodeError):
        check_levels(text, 9)


@pytest.mark.parametrize("depth", [MOST_LEVELS_READ + 1, 900, 5_000, 200_000])
def test_nothing_deep_is_decoded(depth: int) -> None:
    for text in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(UNDECODABLE):
            decode(text)
        with pytest.raises(UNDECODABLE):
            decode(text.decode(), dict[str, int])
    assert decode(b"[" * MOST_LEVELS_READ + b"]" * MOST_LEVELS_READ)


def body(data: bytes, encoding: str | None, limit: int) -> bytes:
    collected = BoundedBody(encoding, limit)
    for at in range(0, len(data), 1000):
        collected.add(data[at : at + 1000])
    return collected.whole()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        (None, b"x" * 5000),
        ("gzip", gzip.compress(b"x" * 5000, mtime=0)),
        ("GZIP", gzip.compress(b"x" * 2000, mtime=0) + gzip.compress(b"x" * 3000, mtime=0)),
        ("deflate", zlib.compress(b"x" * 5000)),
    ],
)
def test_a_body_within_its_limit(encoding: str | None, sent: bytes) -> None:
    assert body(sent, encoding, 5000) == b"x" * 5000
    with pytest.raises(OversizedBodyError):
        body(sent, encoding, 4999)


def test_bytes_are_counted_as_sent_too() -> None:
    with pytest.raises(OversizedBodyError):
        body(gzip.compress(b"") * 300, "gzip", 5000)


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(b"x" * 5000, mtime=0)[:-9]),
        ("gzip", b"no gzip at all"),
        ("br", b"x"),
        ("gzip, gzip", b"x"),
    ],
)
def test_a_body_that_is_broken(encoding: str, sent: bytes) -> None:
    with pytest.raises(BrokenBodyError):
        body(sent, encoding, 5000)


def test_an_empty_body_has_no_encoding() -> None:
    assert body(b"", "gzip", 5000) == b""


@pytest.mark.parametrize("brackets", [b"[]", b"{}"])
@pytest.mark.parametrize("count", [7, 8, 9, 200])
@pytest.mark.parametrize("most", [0, 1, 16, 128])
def test_few_and_many_brackets_have_the_same_bound(brackets: bytes, count: int, most: int) -> None:
    opening, closing = brackets[:1], brackets[1:]
    text = opening * count + closing * count
    if count <= most:
        check_levels(text, most)
    else:
        with pytest.raises(msgspec.DecodeError):
            check_levels(text, most)
    if most:
        check_levels(brackets * count, most)
