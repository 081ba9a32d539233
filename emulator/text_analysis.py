"""Tokens of a text, close enough to the service's analyzers for tests to find what they search.

Only tokenising, lower case, English plurals and a few stop words: ranking and other languages are out of scope.
"""

import functools
import re

import msgspec

_WORD = re.compile(r"\w+(?:['\u2019.]\w+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    ]
)


_SHORT, _REMEMBERED = 64, 16_384
"""Characters of a text whose terms are remembered, and how many such texts are."""


class Token(msgspec.Struct, frozen=True):
    """A token and its position, in characters."""

    token: str
    start: int
    end: int
    position: int


def tokens(text: str, analyzer: str | None) -> list[Token]:
    """Analyse a text; unknown and custom analyzers are treated as the standard one."""
    match analyzer:
        case "keyword":
            return [Token(text, 0, len(text), 0)] if text else []
        case "whitespace":
            return [Token(found[0], *found.span(), at) for at, found in enumerate(re.finditer(r"\S+", text))]
        case "simple" | "stop":
            found = [Token(word[0].lower(), *word.span(), at) for at, word in enumerate(_LETTERS.finditer(text))]
            return [one for one in found if one.token not in _STOP_WORDS] if analyzer == "stop" else found
    words = [Token(word[0].lower(), *word.span(), at) for at, word in enumerate(_WORD.finditer(text))]
    if analyzer is not None and analyzer.startswith("en."):
        words = [
            Token(_stem(word.token), word.start, word.end, word.position)
            for word in words
            if word.token not in _STOP_WORDS
        ]
    return words


def terms(text: str, analyzer: str | None) -> list[str]:
    """Return the tokens' texts. Those of short texts, such as keys, are remembered: each query asks for them again."""
    return list(_remembered(text, analyzer) if len(text) <= _SHORT else _terms(text, analyzer))


def _terms(text: str, analyzer: str | None) -> tuple[str, ...]:
    return tuple(token.token for token in tokens(text, analyzer))


_remembered = functools.lru_cache(maxsize=_REMEMBERED)(_terms)


def _stem(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("\u2019s")
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):  # noqa: PLR2004  # short words keep their s
        return word[:-3] + "y" if word.endswith("ies") else word[:-1]
    return word
