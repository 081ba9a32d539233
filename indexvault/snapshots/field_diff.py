"""Compare two documents, or two definitions, by the paths of their members."""

from collections.abc import Iterator
from typing import Any

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, IntegrityError
from indexvault.snapshots.manifest import Definition

_ABSENT = object()
_NOT_COMPARED = ("@odata.etag", "@odata.context", "name")
"""Annotations, and the name of the index: a restored one often has another, which is no difference."""


class DefinitionDifference(msgspec.Struct, frozen=True):
    """A member that differs, by its path such as `fields/rating/facetable`. Values are JSON; None means absent."""

    path: str
    before: str | None
    after: str | None


def changed_fields(before: bytes, after: bytes) -> list[str]:
    """Return the paths of the fields in which two documents differ, such as `Address/City`. A collection is one field.

    Empty if the two differ only in how they are written and not in their values. Raises IntegrityError if one can't be
    decoded.
    """
    try:
        one, other = decode(before), decode(after)
        return sorted(path for path, _, _ in _walk("", one, other, deep=False))
    except UNDECODABLE as error:
        raise IntegrityError(
            f"it can't be decoded ({type(error).__name__})", on="a document", do="Leave out the names of fields"
        ) from None


def definition_differences(before: Definition, after: Definition) -> list[DefinitionDifference]:
    """Return the members in which two definitions differ, in the newest api-version that both have.

    ETags and the name of the index are not compared.
    """
    one, other = before.comparable(after)
    return [
        DefinitionDifference(path=path, before=_text(old), after=_text(new))
        for path, old, new in _walk("", _members(one.body), _members(other.body), deep=True)
    ]


def _members(body: msgspec.Raw) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.json.decode(body)
    return {name: value for name, value in members.items() if name not in _NOT_COMPARED}


def _walk(path: str, before: Any, after: Any, *, deep: bool) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two values differ, by path. With `deep`, compare lists item by item, by the items' names."""
    if deep and isinstance(before, list) and isinstance(after, list):
        before, after = _by_name(before), _by_name(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            place = f"{path}/{name}" if path else str(name)
            yield from _walk(place, before.get(name, _ABSENT), after.get(name, _ABSENT), deep=deep)
    elif type(before) is not type(after) or before != after:
        yield path, before, after


def _by_name(items: list[Any]) -> Any:
    """Return a list of items with distinct names as an object with these names; any other list as it is."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return dict(zip(names, items, strict=True))
    return items


def _text(value: Any) -> str | None:
    return None if value is _ABSENT else msgspec.json.encode(value).decode()
