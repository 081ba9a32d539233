"""Patch a definition: JSON Merge Patch (RFC 7396), with the members of named lists addressed by name.

    {"fields": {"price": {"facetable": true}, "notes": null, "rating": {"type": "Edm.Double"}}}

makes a field facetable, drops one and adds one. RFC 7396 replaces an array as a whole. Here a patch may have an object
in place of an array of named objects (fields, scoring profiles, vector profiles, analyzers): its members are then the
entries by name. An array in the patch still replaces the array. What the patch does not touch keeps its bytes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, SettingsError
from indexvault.search.secret_scan import holds_secret

MOST_BYTES = 256 * 1024
"""The largest patch in bytes; a definition itself is rarely larger."""
MOST_LEVELS = 32
"""The deepest nesting. Complex fields have 10 levels, two objects each. Source: Service limits, 2026-09."""
_NULL = msgspec.Raw(b"null")
_CORRECT = 'Write it as {"fields": {"NAME": {"facetable": true}, "OLD": null}}'

NAMED_LISTS = frozenset(
    {
        "fields",
        "scoringProfiles",
        "suggesters",
        "analyzers",
        "tokenizers",
        "tokenFilters",
        "charFilters",
        "normalizers",
        "profiles",
        "algorithms",
        "compressions",
        "vectorizers",
        "configurations",
        "skills",
    }
)
"""Members of a definition that are lists of named objects. Source: Create Index and Create
Skillset, REST reference, 2026-09; a skill without a name is called `#` and its position, from 1."""


class _Named(msgspec.Struct):
    name: str = ""


def patch_text(patch: Mapping[str, Any]) -> str:
    """Return a patch as JSON text. Raises SettingsError if it is no valid patch."""
    _require_shallow(patch)
    text = msgspec.json.encode(patch).decode()
    read_patch(text)
    return text


def read_patch(text: str) -> dict[str, Any]:
    """Read a patch. Raises SettingsError if it is no JSON object, or would rename the index."""
    try:
        patch = decode(text)
    except UNDECODABLE as error:
        raise SettingsError(f"not JSON: {error}", on="patch", do=_CORRECT) from None
    _require_shallow(patch)
    if not isinstance(patch, dict):
        raise SettingsError("a patch of a definition is a JSON object", on="patch", do=_CORRECT)
    if len(text.encode()) > MOST_BYTES:
        raise SettingsError(f"it is larger than {MOST_BYTES} bytes", on="patch", do="Patch only what changes")
    if holds_secret(text.encode()):
        raise SettingsError(
            "it holds what looks like a secret, and a patch is written down with the run",
            on="patch",
            do="Put it into an overlay of the settings, which names the environment variable that holds it",
        )
    if "name" in patch:
        raise SettingsError(
            "it would rename the index", on="patch $.name", do="Name the target with --to SERVICE/INDEX"
        )
    return patch


def patched(definition: msgspec.Raw, patch: dict[str, Any]) -> msgspec.Raw:
    """Return a definition with a patch applied. Raises SettingsError naming a member that can't be patched."""
    return _merge("$", "", definition, patch)


def combined(patch: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return one patch that does what the first does and then the other."""
    result = dict(patch)
    for name, change in other.items():
        before = result.get(name)
        if isinstance(change, dict) and isinstance(before, dict):
            result[name] = combined(before, change)
        elif isinstance(change, dict) and isinstance(before, list):
            both = patched(msgspec.Raw(msgspec.json.encode({name: before})), {name: change})
            result[name] = msgspec.json.decode(both)[name]
        else:
            result[name] = change
    return result


def patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that makes one definition, as decoded JSON, into another."""
    patch: dict[str, Any] = dict.fromkeys(sorted(before.keys() - after.keys()))
    for name, wanted in after.items():
        there = before.get(name)
        if there == wanted:
            continue
        if name in NAMED_LISTS and isinstance(there, list) and isinstance(wanted, list):
            patch[name] = patch_between(_by_name(there), _by_name(wanted))
        elif isinstance(there, dict) and isinstance(wanted, dict):
            patch[name] = patch_between(there, wanted)
        else:
            patch[name] = wanted
    return patch


def _by_name(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry.get("name") or f"#{position}": entry for position, entry in enumerate(entries, start=1)}


def _require_shallow(patch: Any) -> None:
    level: list[Any] = [patch]
    for _ in range(MOST_LEVELS):
        level = [inner for each in level for inner in _within(each)]
        if not level:
            return
    raise SettingsError(f"it has more than {MOST_LEVELS} levels", on="patch", do=_CORRECT)


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _merge(path: str, member: str, target: msgspec.Raw, change: Any) -> msgspec.Raw:
    if not isinstance(change, dict):
        return msgspec.Raw(msgspec.json.encode(change))
    if member in NAMED_LISTS:
        return _merge_named(path, target, change)
    members = _object(target)
    for name, inner in change.items():
        if inner is None:
            members.pop(name, None)
        else:
            members[name] = _merge(f"{path}.{name}", name, members.get(name, _NULL), inner)
    return msgspec.Raw(msgspec.json.encode(members))


def _merge_named(path: str, target: msgspec.Raw, change: dict[str, Any]) -> msgspec.Raw:
    entries = {
        msgspec.json.decode(entry, type=_Named).name or f"#{position}": entry
        for position, entry in enumerate(_list(target), start=1)
    }
    for name, inner in change.items():
        at = f"{path}.{name}"
        if inner is None:
            if name not in entries:
                raise SettingsError("it removes what is not there", on=f"patch {at}", do=_known(entries))
            del entries[name]
            continue
        if not isinstance(inner, dict):
            raise SettingsError("expected an object, or null to remove it", on=f"patch {at}", do=_CORRECT)
        if inner.get("name", name) != name:
            raise SettingsError(
                "a rename is not possible: the documents hold the old name",
                on=f"patch {at}.name",
                do="Add the new one and set the old one to null; the new one will be empty",
            )
        before = entries.get(name, msgspec.Raw(msgspec.json.encode({"name": name})))
        entries[name] = _merge(at, "", before, inner)
    return msgspec.Raw(msgspec.json.encode(list(entries.values())))


def _object(target: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(target, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return {}


def _list(target: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(target, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return []


def _known(entries: dict[str, msgspec.Raw]) -> str:
    return f"There are {', '.join(sorted(entries)) or 'none'}"
