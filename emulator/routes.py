"""Map a URL to an operation, in both of the service's forms: `/indexes('x')` and `/indexes/x`."""

import re
from urllib.parse import unquote

import msgspec

from emulator.access import Permission
from emulator.failures import ServiceError
from emulator.resources import KINDS

_SEGMENT = re.compile(r"([A-Za-z]+)\('(.*)'\)", re.DOTALL)
_READ, _WRITE = Permission.READ_DEFINITIONS, Permission.WRITE_DEFINITIONS
_FIND, _LOAD = Permission.READ_DOCUMENTS, Permission.WRITE_DOCUMENTS

_POSTED = {
    "search": ("search", _FIND),
    "search.post.search": ("search", _FIND),
    "suggest": ("suggest", _FIND),
    "search.post.suggest": ("suggest", _FIND),
    "autocomplete": ("autocomplete", _FIND),
    "search.post.autocomplete": ("autocomplete", _FIND),
    "index": ("index_documents", _LOAD),
    "search.index": ("index_documents", _LOAD),
}
_GOTTEN = {
    "$count": ("count_documents", _FIND),
    "suggest": ("suggest", _FIND),
    "search.suggest": ("suggest", _FIND),
    "autocomplete": ("autocomplete", _FIND),
    "search.autocomplete": ("autocomplete", _FIND),
}
_RESOURCE_VERBS = {"GET": ("get", _READ), "PUT": ("put", _WRITE), "DELETE": ("delete", _WRITE)}
_INDEXER_VERBS = {"run": "run_indexer", "reset": "reset_indexer", "status": "get_indexer_status"}


class Operation(msgspec.Struct, frozen=True):
    """The operation of a request; requests are counted under its `name`."""

    name: str
    permission: Permission
    kind: str = ""
    resource: str = ""
    key: str = ""


def operation(method: str, raw_path: str) -> Operation:
    """Return the operation of a method and an undecoded path. Raises ServiceError 404 or 405."""
    parts = _parts(raw_path)
    found = _found(method, parts)
    if found is None:
        raise ServiceError(404, f"Resource not found for the segment '{parts[0] if parts else ''}'.")
    return found


def _found(method: str, parts: list[str]) -> Operation | None:  # noqa: PLR0911  # a table of URLs
    match parts:
        case ["servicestats"] if method == "GET":
            return Operation("get_service_statistics", _READ)
        case ["indexes" as kind] | ["indexes" as kind, _]:
            return _definition(method, kind, parts[1:])
        case ["indexes", name, *rest]:
            return _in_index(method, name, rest)
        case ["indexers", name, verb] if verb.removeprefix("search.") in _INDEXER_VERBS:
            permission = _READ if method == "GET" else _WRITE
            return Operation(_INDEXER_VERBS[verb.removeprefix("search.")], permission, "indexers", name)
        case ["knowledgesources", name, "status"] if method == "GET":
            return Operation("get_knowledge_source_status", _READ, "knowledgesources", name)
        case [kind] | [kind, _] if kind in KINDS:
            return _definition(method, kind, parts[1:])
    return None


def _definition(method: str, kind: str, named: list[str]) -> Operation:
    if named and method in _RESOURCE_VERBS:
        verb, permission = _RESOURCE_VERBS[method]
        return Operation(f"{verb}_{kind}", permission, kind, named[0])
    if not named and method in {"GET", "POST"}:
        verb, permission = ("list", _READ) if method == "GET" else ("create", _WRITE)
        return Operation(f"{verb}_{kind}", permission, kind)
    raise ServiceError(405, f"The requested resource does not support http method '{method}'.")


def _in_index(method: str, name: str, rest: list[str]) -> Operation | None:  # noqa: PLR0911  # a table of URLs
    match rest:
        case ["stats" | "search.stats"] if method == "GET":
            return Operation("get_index_statistics", _READ, "indexes", name)
        case ["analyze" | "search.analyze"] if method == "POST":
            return Operation("analyze_text", _READ, "indexes", name)
        case ["docs"] if method == "GET":
            return Operation("search", _FIND, "indexes", name)
        case ["docs", verb] if method == "POST" and verb in _POSTED:
            return Operation(*_POSTED[verb], "indexes", name)
        case ["docs", verb] if method == "GET" and verb in _GOTTEN:
            return Operation(*_GOTTEN[verb], "indexes", name)
        case ["docs", key] if method == "GET":
            return Operation("look_up", _FIND, "indexes", name, key.removeprefix("\0"))
    return None


def _parts(raw_path: str) -> list[str]:
    """Split a path. A quoted key is marked with a leading NUL, so that it can't be taken for a verb."""
    parts = []
    for raw in raw_path.strip("/").split("/"):
        segment = unquote(raw)
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            parts.append(segment)
            continue
        value = match[2].replace("''", "'")
        parts += [match[1].lower(), "\0" + value if match[1].lower() == "docs" else value]
    if parts:
        parts[0] = parts[0].lower()
    return parts
