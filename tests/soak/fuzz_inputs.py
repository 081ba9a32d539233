"""Inputs for the fuzzer: valid examples damaged in every way that bytes from outside can be, and random ones.

Everything is drawn from a generator that is passed in, so one seed gives one input.
"""

import gzip
import json
import random
import string
from collections.abc import Callable, Sequence
from typing import Any

LONGEST = 1 << 20
"""Bytes or characters that an input has about at most, apart from what a gzip bomb inflates to."""
BOMB_BYTES = 32 << 20
"""Bytes that a gzip bomb inflates to."""
_DEPTHS = (2, 30, 40, 300, 990, 1_100, 3_000, 9_000, 30_000, 200_000)
_ODD_TEXTS = (
    "", " ", "\0", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85", "\u00a0", "\u202e", "\u2028", "\u200b", "\ufeff",
    "\ufffd", "\U0001f600", "\u0130", "\u0660", "\u00b2", "e\u0301", "'", '"', "`", "\\", "/", "..", "../..", "%00",
    "%2F", "=", "=FF", "=2F", "@", "*", "!", "?", "#", "$", "&", "|", "~", "{}", "[]", "()", "<>", ",", ";", ":", "-",
    "--", "__", "+", "0", "-1", "1/0", "9" * 20, "9" * 5_000, "1e400", "NaN", "Infinity", "null", "true", "latest",
    "$service", "@latest", "0001-01-01", "9999-12-31", "00010101T000000Z-000000", "99991231T235959Z-ffffff",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "2026-02-30", "P1D", "P999999999D",
)  # fmt: skip
_PIECES = (
    "a", "A", " ", "-", "=", "/", ".", "*", "a.", "-eyJ", "eyJaaaaaaaaaaa.", "ResourceId=", "User=a;", ";", ";;", "://a:",
    "pwd", "pwd ", "?key=", "&sig=", "Bearer ", "-----BEGIN ", "AzSe", "'", "\"", "` - at `", "\u0130", "\n",
)  # fmt: skip
_ODD_SURROGATES = ("\ud800", "\udfff", "\udc80", "a\udcffb")
_ODD_NUMBERS = (
    b"0", b"-0", b"-1", b"1", b"0.1", b"1.0", b"1e2", b"1e400", b"-1e400", b"1e-999999999", b"2147483648",
    b"9007199254740993", b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616", b"1" + b"0" * 30, b"9" * 400, b"9" * 5_000, b"NaN", b"Infinity", b"01", b"+1",
)  # fmt: skip
_ODD_STRINGS = (
    b'""', b'"\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u202e"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"',
    b'"\xf4\x90\x80\x80"', b'"\\x"', b'"\\u12"', b'"', b'"a\nb"', b'"<redacted>"', b'"<withheld>"',
    b'"2026-11-20T02:30:00"', b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-14:00"',
    b'"20261120T023000Z-7f3a9c"', b'"P999999999D"', b'"-P1D"', b'"NaN"', b'"INF"', b'"Collection(Edm.String)"',
    b'"Edm.ComplexType"', b'"indexvault/1.9"', b'"indexvault/2"',
)  # fmt: skip
_ODD_OTHERS = (
    b"null",
    b"true",
    b"false",
    b"{}",
    b"[]",
    b"[[]]",
    b"[{}]",
    b'{"":null}',
    b'{"a":{"a":{}}}',
    b"",
    b"nul",
    b"//",
)


class Token(bytes):
    """JSON text that stands in a tree as it is, valid or not."""

    __slots__ = ()


class Members(list[tuple[Any, Any]]):
    """The members of an object; names may repeat."""


def parsed(text: bytes) -> Any:
    """Return valid JSON as a tree of Members, lists, strings and Tokens, its numbers as they are written."""
    return json.loads(
        text,
        object_pairs_hook=Members,
        parse_int=_token,
        parse_float=_token,
        parse_constant=_token,
    )


def written(tree: Any) -> bytes:
    """Return the JSON of a tree."""
    match tree:
        case Token():
            return tree
        case Members():
            return b"{" + b",".join(written(name) + b":" + written(value) for name, value in tree) + b"}"
        case list():
            return b"[" + b",".join(map(written, tree)) + b"]"
        case _:
            return json.dumps(tree).encode()


def _token(text: str) -> Token:
    return Token(text.encode())


def deep(rng: random.Random) -> Token:
    """Return a value of many levels, closed or not."""
    levels = rng.choice(_DEPTHS)
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"fields":[', b"]}"), (b'[{"name":', b"}]")))
    innermost = rng.choice((b"", b"1", b'"x"', b"null"))
    return Token(opening * levels + (innermost or b"0") + (closing * levels if rng.random() < 0.8 else b""))


def odd_value(rng: random.Random) -> Token:  # noqa: PLR0911 - a table of kinds
    """Return a value that few expect."""
    kind = rng.random()
    if kind < 0.01:
        return Token(json.dumps(long_text(rng)).encode())
    if kind < 0.06:
        return deep(rng)
    if kind < 0.10:
        length = rng.choice((100, 1_025, 5_000, 70_000, LONGEST if rng.random() < 0.05 else 10_000))
        return Token(
            b'"' + rng.choice((b"a", b"=", b"\\u0000", "\u202e".encode(), b"'", b"a b ")) * (length // 3) + b'"'
        )
    if kind < 0.14:
        return Token(b"[" + b",".join([rng.choice(_ODD_OTHERS[:9])] * rng.choice((10, 1_000, 20_000))) + b"]")
    if kind < 0.40:
        return Token(rng.choice(_ODD_NUMBERS))
    if kind < 0.60:
        return Token(rng.choice(_ODD_STRINGS))
    if kind < 0.75:
        return Token(json.dumps(rng.choice(_ODD_TEXTS)).encode())
    return Token(rng.choice(_ODD_OTHERS))


def long_text(rng: random.Random) -> str:
    """Return a long text of a few pieces that come again and again: what a regular expression may go back over."""
    begin, piece, end = rng.choice(_PIECES), rng.choice(_PIECES), rng.choice(_PIECES)
    return (begin + piece * (rng.choice((300, 4_000, 60_000)) // len(piece)) + end)[:LONGEST]


def odd_text(rng: random.Random, *, surrogates: bool = False) -> str:
    """Return a piece of text that few expect."""
    if surrogates and rng.random() < 0.1:
        return rng.choice(_ODD_SURROGATES)
    if rng.random() < 0.01:
        return long_text(rng)
    if rng.random() < 0.7:
        return rng.choice(_ODD_TEXTS)
    return "".join(rng.choice(string.printable) for _ in range(rng.randrange(1, 12)))


def damaged_json(rng: random.Random, examples: Sequence[bytes]) -> bytes:
    """Return an example with members swapped, repeated, renamed, removed or nested, or with its bytes damaged."""
    kind = rng.random()
    if kind < 0.03:
        return bytes(deep(rng))
    if kind < 0.05:
        return random_bytes(rng)
    if kind < 0.07:
        return bytes(odd_value(rng))
    if kind < 0.30:
        return damaged_bytes(rng, examples)
    tree = parsed(rng.choice(examples))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        tree = _edited(rng, tree)
    return written(tree)


def _edited(rng: random.Random, tree: Any) -> Any:  # noqa: C901 - a table of edits
    slots: list[tuple[list[Any], int]] = []
    _collect(tree, slots)
    if not slots:
        return odd_value(rng)
    container, at = rng.choice(slots)
    is_object = isinstance(container, Members)
    name, value = container[at] if is_object else ("", container[at])
    edit = rng.randrange(9)
    if edit == 0:
        del container[at]
    elif edit == 1:
        container.insert(rng.randrange(len(container) + 1), container[at])
    elif edit == 2 and is_object:
        container.append((name, odd_value(rng)))
    elif edit == 3 and is_object:
        container[at] = (rng.choice((odd_text(rng), odd_value(rng))), value)
    elif edit == 4:
        other, there = rng.choice(slots)
        taken = other[there][1] if isinstance(other, Members) else other[there]
        if not isinstance(taken, list):  # a container could come to hold itself
            container[at] = (name, taken) if is_object else taken
    elif edit == 5 and isinstance(value, str):
        text = damaged_text(rng, [value])
        container[at] = (name, text) if is_object else text
    elif edit == 6 and is_object:
        container.insert(at, (odd_text(rng), odd_value(rng)))
    elif edit == 7:
        wrapped: Any = [value] if rng.random() < 0.5 else Members([("a", value)])
        container[at] = (name, wrapped) if is_object else wrapped
    else:
        odd = odd_value(rng)
        container[at] = (name, odd) if is_object else odd
    return tree


def _collect(tree: Any, slots: list[tuple[list[Any], int]]) -> None:
    if isinstance(tree, list):
        for at, entry in enumerate(tree):
            slots.append((tree, at))
            _collect(entry[1] if isinstance(tree, Members) else entry, slots)


def damaged_bytes(rng: random.Random, examples: Sequence[bytes]) -> bytes:
    """Return an example with bits flipped, cut off, repeated, taken from another one, or with bytes in between."""
    data = bytearray(rng.choice(examples))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 2, 8, 100)))
        match rng.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * rng.choice((1, 2, 50))
            case 4:
                data[at:at] = rng.choice(
                    (b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b'"', b"\\", b"\xed\xa0\x80", b"{", b"]")
                )
            case 5:
                other = rng.choice(examples)
                cut = rng.randrange(len(other) + 1)
                data[at:end] = other[cut : cut + rng.choice((4, 40, 400))]
            case _:
                data[at:end] = rng.randbytes(end - at)
    if rng.random() < 0.02:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b" " * 100_000)) + bytes(data)
    return bytes(data[:LONGEST])


def random_bytes(rng: random.Random) -> bytes:
    """Return bytes, or text of signs that JSON has a meaning for."""
    length = rng.choice((0, 1, 2, 10, 100, 5_000))
    if rng.random() < 0.5:
        return rng.randbytes(length)
    return bytes(rng.choice(b'{}[]":,0123456789.eE+-truefalsn\\u ') for _ in range(length))


def damaged_text(rng: random.Random, examples: Sequence[str], *, surrogates: bool = False) -> str:
    """Return an example with pieces removed, repeated, swapped or put in between."""
    if rng.random() < 0.05:
        return odd_text(rng, surrogates=surrogates)
    text = rng.choice(examples)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((1, 1, 2, 5, 20)))
        match rng.randrange(7):
            case 0:
                text = text[:at] + text[end:]
            case 1:
                text = text[:end] + text[at:end] * rng.choice((1, 2, 30, 300)) + text[end:]
            case 2:
                text = text[:at]
            case 3:
                other = rng.choice(examples)
                text = text[:at] + other[rng.randrange(len(other) + 1) :]
            case 4:
                text = text[:at] + text[at:end].swapcase() + text[end:]
            case _:
                text = text[:at] + odd_text(rng, surrogates=surrogates) + text[end:]
        text = text[:20_000]
    if rng.random() < 0.01:
        text *= max(1, rng.choice((100, LONGEST // 4)) // (len(text) or 1))
    return text


def damaged_mapping(
    rng: random.Random, examples: Sequence[dict[str, str]], *, surrogates: bool = False
) -> dict[str, str]:
    """Return an example with names and values changed, removed or added."""
    members = dict(rng.choice(examples))
    for _ in range(rng.choice((1, 1, 2, 4))):
        name = rng.choice([*members, "x"])
        match rng.randrange(4):
            case 0:
                members.pop(name, None)
            case 1:
                members[damaged_text(rng, [name], surrogates=surrogates)] = members.pop(name, "")
            case 2:
                members[name] = odd_text(rng, surrogates=surrogates)
            case _:
                members[name] = damaged_text(rng, [members.get(name, "")], surrogates=surrogates)
    return members


def damaged_arguments(rng: random.Random, examples: Sequence[Sequence[str]]) -> list[str]:
    """Return a command line with words changed, swapped, repeated or removed. No word holds a NUL: none can."""
    words = list(rng.choice(examples))
    others = [word for example in examples for word in example]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(words) + 1)
        match rng.randrange(5):
            case 0:
                del words[at : at + 1]
            case 1:
                words.insert(at, rng.choice(others))
            case 2:
                words.insert(at, damaged_text(rng, others, surrogates=True))
            case 3:
                rng.shuffle(words)
            case _ if at < len(words):
                words[at] = damaged_text(rng, [words[at]], surrogates=True)
            case _:
                words.append(rng.choice(("--", "-", "-x", "--json=1", "--unknown", "-" * 5_000)))
    return [word.replace("\0", "") for word in words]


def damaged_gzip(rng: random.Random, stored: bytes) -> bytes:  # noqa: PLR0911 - a table of damages
    """Return gzip'd bytes damaged, in another framing, followed by others, or a bomb."""
    kind = rng.randrange(20)
    if kind == 0 and rng.random() < 0.2:
        return stored[:10] + gzip.compress(b"\0" * BOMB_BYTES, mtime=0)[10:]
    if kind == 1:
        return stored + stored
    if kind == 2:
        return stored + rng.randbytes(rng.choice((1, 8, 1_000)))
    if kind == 3:
        return gzip.compress(b'{"HotelId":"1"}\n', mtime=0)
    if kind == 4:
        return rng.choice((b"", b"\x1f\x8b", b"PK\x03\x04", b"\x78\x9c", b"\x28\xb5\x2f\xfd", b"BZh9")) + stored
    if kind == 5:
        return stored[: rng.randrange(len(stored) + 1)]
    if kind == 6:
        return stored[:10] + rng.randbytes(rng.choice((1, 20, 2_000)))
    return damaged_bytes(rng, [stored])


_FUNCTIONS: tuple[str, ...] = (
    "abs", "avg", "ceil", "contains", "ends_with", "floor", "join", "keys", "length", "map", "max", "max_by", "merge",
    "min_by", "not_null", "reverse", "sort", "sort_by", "starts_with", "sum", "to_array", "to_number", "to_string",
    "type", "values", "nothing",
)  # fmt: skip
_PARTS: tuple[Callable[[random.Random, int], str], ...] = (
    lambda rng, _depth: rng.choice(
        ("Rating", "Tags", "Rooms", "Address.City", "@", "*", "[]", "[*]", '"a b"', "`1`", "'x'")
    ),
    lambda rng, depth: (
        f"{expression(rng, depth)}[{rng.choice(('0', '-1', '*', '', '::2', '::0', '1:2:-1', '9' * 30))}]"
    ),
    lambda rng, depth: f"{expression(rng, depth)}.{expression(rng, depth)}",
    lambda rng, depth: (
        f"{expression(rng, depth)} {rng.choice(('==', '!=', '<', '>=', '&&', '||', '|'))} {expression(rng, depth)}"
    ),
    lambda rng, depth: f"{rng.choice(_FUNCTIONS)}({expression(rng, depth)})",
    lambda rng, depth: (
        f"{rng.choice(_FUNCTIONS)}({expression(rng, depth)}, {rng.choice(('', '&'))}{expression(rng, depth)})"
    ),
    lambda rng, depth: f"[{expression(rng, depth)}, {expression(rng, depth)}]",
    lambda rng, depth: f"{{a: {expression(rng, depth)}, b: {expression(rng, depth)}}}",
    lambda rng, depth: f"{expression(rng, depth)}[?{expression(rng, depth)}]",
    lambda rng, depth: f"!({expression(rng, depth)})",
    lambda rng, _depth: f"`{rng.choice(('1', '[1,2]', '{}', '1e400', '[' * 50, 'null', '9' * 30))}`",
)


def expression(rng: random.Random, depth: int = 5) -> str:
    """Return a JMESPath expression by its grammar, though not by its types."""
    part = rng.choice(_PARTS) if depth > 0 else _PARTS[0]
    return part(rng, depth - 1)
