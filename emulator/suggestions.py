"""Suggestions and completions from an index's suggester, and `search.analyze`.

Source: Suggestions, Autocomplete and Analyze Text in the REST reference, 2026-09.
"""

import itertools
from typing import Any

import msgspec
import orjson

from emulator.failures import ServiceError, invalid_request
from emulator.index import Document, Index, project
from emulator.schema import Field
from emulator.searching import selected
from emulator.storage import Selection
from emulator.text_analysis import terms, tokens
from emulator.text_queries import texts_of

_DEFAULT_TOP = 5
_MAX_TOP = 100


def suggest(index: Index, request: dict[str, Any], selection: Selection) -> bytes:
    """Return texts that contain the last word as a prefix and the others as they are."""
    fields, words = _asked(index, request)
    chosen = selected(index, _listed(request.get("select"))) or frozenset({index.schema.key.path})
    found = []
    for row in index.table.find(selection):
        document = index.full(row.visible, row.hidden)
        text = next((text for field in fields for text in texts_of(document, field) if _continues(text, words)), None)
        if text is not None:
            found.append({"@search.text": text, **project(document, index.schema.fields, chosen)})
    return orjson.dumps({"value": found[: _top(request)]})


def autocomplete(index: Index, request: dict[str, Any], selection: Selection) -> bytes:
    """Return words that complete the last one."""
    fields, words = _asked(index, request)
    pairs = request.get("autocompleteMode") == "twoTerms"
    completed: dict[str, None] = {}
    for row in index.table.find(selection):
        document = index.full(row.visible, row.hidden)
        for field in fields:
            for text in texts_of(document, field):
                completed |= dict.fromkeys(_completions(terms(text, None), words[-1], pairs=pairs))
    before = "".join(f"{word} " for word in words[:-1])
    values = [{"text": one, "queryPlusText": before + one} for one in sorted(completed)]
    return orjson.dumps({"value": values[: _top(request)]})


def analyze(request: dict[str, Any]) -> bytes:
    """Return the tokens of a text."""
    text = request.get("text")
    named = [request[name] for name in ("analyzer", "tokenizer", "normalizer") if request.get(name)]
    if not isinstance(text, str) or len(named) != 1:
        raise invalid_request("request : A text and one of analyzer, tokenizer or normalizer must be given.")
    found = tokens(text, named[0])
    return msgspec.json.encode(
        {
            "tokens": [
                {"token": one.token, "startOffset": one.start, "endOffset": one.end, "position": one.position}
                for one in found
            ]
        }
    )


def _asked(index: Index, request: dict[str, Any]) -> tuple[list[Field], list[str]]:
    name, text = request.get("suggesterName"), request.get("search")
    suggester = next((one for one in index.definition["suggesters"] if one["name"] == name), None)
    if suggester is None:
        raise ServiceError(
            400,
            f"The specified suggester name '{name}' does not exist in this index definition.\r\n"
            "Parameter name: suggesterName",
        )
    words = terms(text, None) if isinstance(text, str) else []
    if not words:
        raise ServiceError(400, "The search text must not be empty.\r\nParameter name: search")
    named = _listed(request.get("searchFields")) or suggester["sourceFields"]
    return [index.schema.by_path[path] for path in named if path in suggester["sourceFields"]], words


def _continues(text: str, words: list[str]) -> bool:
    own = terms(text, None)
    return all(word in own for word in words[:-1]) and any(word.startswith(words[-1]) for word in own)


def _completions(own: list[str], prefix: str, *, pairs: bool) -> list[str]:
    if pairs:
        return [f"{one} {other}" for one, other in itertools.pairwise(own) if one.startswith(prefix)]
    return [word for word in own if word.startswith(prefix)]


def _listed(value: object) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [str(part).strip() for part in parts]


def _top(request: Document) -> int:
    top = request.get("top") or _DEFAULT_TOP
    if not isinstance(top, int) or not 1 <= top <= _MAX_TOP:
        raise ServiceError(400, f"Value must be between 1 and {_MAX_TOP}.\r\nParameter name: $top")
    return top
