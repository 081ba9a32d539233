"""Make the definition that a target gets from the snapshot's."""

from typing import Any

import msgspec

from indexvault.errors import SettingsError, UnexpectedAnswerError
from indexvault.restore.patch import patched, read_patch
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import without_secrets
from indexvault.snapshots.manifest import Definition, VersionedDefinition

_FILLED_IN = frozenset({"similarity"})
"""Members of a definition that the service adds if they were not sent."""


class TargetDefinition(msgspec.Struct, frozen=True):
    """A definition to send to a service: its JSON, and whether only the preview api-version knows all of it."""

    body: msgspec.Raw
    preview: bool


def target_definition(definition: Definition, name: str, patch: str | None = None) -> TargetDefinition:
    """Return the definition under another name, without what the service adds when it answers, and with the patch.

    Raises SettingsError for a patch that can't be applied.
    """
    chosen = version_to_send(definition)
    members = _members(chosen.body)
    members["name"] = msgspec.Raw(msgspec.json.encode(name))
    body = msgspec.Raw(msgspec.json.encode(members))
    if patch is not None:
        body = patched(body, read_patch(patch))
        try:
            read_schema(body, on="patch")
        except UnexpectedAnswerError as error:
            raise SettingsError(
                f"it does not leave an index definition: {error.what}", on="patch", do="Correct the patch"
            ) from None
    return TargetDefinition(body=body, preview=chosen.preview)


def version_to_send(definition: Definition) -> TargetDefinition:
    """Return the version to send: the preview's only if it says more, so that a stable service gets stable requests."""
    if definition.preview is not None and not same_definition(definition.stable, definition.preview):
        return TargetDefinition(body=definition.preview.body, preview=True)
    return TargetDefinition(body=definition.stable.body, preview=definition.stable.api_version.endswith("-preview"))


def renamed(definition: TargetDefinition, name: str) -> TargetDefinition:
    """Return a definition under another name."""
    members = _members(definition.body)
    members["name"] = msgspec.Raw(msgspec.json.encode(name))
    return TargetDefinition(body=msgspec.Raw(msgspec.json.encode(members)), preview=definition.preview)


def with_fields_shown(definition: TargetDefinition) -> TargetDefinition:
    """Return a definition in which every field that can be is retrievable, so that what is loaded can be read back.

    The attribute can be switched on a live index, except on a vector that is not stored. Source: Update Index, REST
    reference, 2026-09.
    """
    schema = read_schema(definition.body, on="definition")
    patch: dict[str, object] = {}
    for path, field in schema.walk():
        if not field.is_readable and field.stored is not False:
            level = patch
            *parents, last = path.split("/")
            for parent in parents:
                level = _below(_below(level, "fields"), parent)
            _below(_below(level, "fields"), last)["retrievable"] = True
    if not patch:
        return definition
    return TargetDefinition(body=patched(definition.body, patch), preview=definition.preview)


def same_definition(one: VersionedDefinition, other: VersionedDefinition) -> bool:
    """Return whether two definitions have the same content; see `content`."""
    return same_content(one.body, other.body)


def same_content(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    """Return whether the JSON of two definitions has the same content; see `content`."""
    return content(one) == content(other)


def same_when_shown(present: msgspec.Raw, shown: msgspec.Raw) -> bool:
    """Return whether `shown` is the definition `present`, perhaps with its hidden fields shown."""
    return same_content(with_fields_shown(TargetDefinition(body=present, preview=False)).body, shown)


def is_creation_of(present: msgspec.Raw, sent: msgspec.Raw) -> bool:
    """Return whether `present` is what the service may have made of the definition `sent`.

    The service switches on attributes of fields that were left to it, fills in parameters of vector search, and adds
    the similarity; it changes nothing that was sent. Source: Indexes - Create (REST API), 2026-09.
    """
    there, wanted = content(present), content(sent)
    if not there.keys() - wanted.keys() <= _FILLED_IN:
        return False
    return all(_holds(there.get(name), value, flags=name == "fields") for name, value in wanted.items())


def _holds(there: Any, wanted: Any, *, flags: bool) -> bool:
    """Return whether a value is the wanted one, with members that were filled in: with `flags` only those that are set.

    Members that are false or empty are in neither.
    """
    if isinstance(wanted, dict):
        if not isinstance(there, dict):
            return False
        added = there.keys() - wanted.keys()
        return not (flags and any(there[name] is not True for name in added)) and all(
            _holds(there.get(name), value, flags=flags) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(_holds(one, other, flags=flags) for one, other in zip(there, wanted, strict=True))
        )
    return bool(there == wanted) and isinstance(there, bool) == isinstance(wanted, bool)


def content(body: msgspec.Raw) -> dict[str, Any]:
    """Return a definition's members to compare by, without its name, its secrets and what the service adds.

    Members that are null, empty or false on any level are left out: a newer api-version shows unset members that an
    older one does not know with such values.
    """
    members = {name: msgspec.json.decode(value) for name, value in _members(without_secrets(body)).items()}
    members.pop("name", None)
    settings: dict[str, Any] = _set_members(members)
    return settings


def _set_members(value: Any) -> Any:
    if isinstance(value, list):
        return [_set_members(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: _set_members(item) for name, item in value.items() if not name.startswith("@odata.e")}
    return {name: item for name, item in inner.items() if item is not False and item not in (None, [], {})}


def _members(body: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the definition's own members, each as it was sent."""
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return {name: value for name, value in members.items() if not name.startswith("@odata.")}


def _below(level: dict[str, object], name: str) -> dict[str, object]:
    inner = level.setdefault(name, {})
    assert isinstance(inner, dict)  # noqa: S101 - made right here
    return inner
