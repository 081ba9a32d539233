"""The definition that a target gets, made from the snapshot's."""

import msgspec

from snapshots.manifest import Definition, VersionedDefinition

_REDACTED = b'"<redacted>"'


class TargetDefinition(msgspec.Struct, frozen=True):
    """A definition to be sent to a service: its JSON, and whether only the preview api-version knows all of it."""

    body: bytes
    preview: bool


def target_definition(definition: Definition, name: str) -> TargetDefinition:
    """Give the definition under another name, without what the service adds when it answers.

    The preview's form is used only where it says more than the stable one: a stable service then gets stable requests.
    """
    chosen, preview = definition.stable, False
    if definition.preview is not None and not same_definition(definition.stable, definition.preview):
        chosen, preview = definition.preview, True
    members = _members(chosen.body)
    members["name"] = msgspec.Raw(msgspec.json.encode(name))
    return TargetDefinition(body=msgspec.json.encode(members), preview=preview)


def same_definition(one: VersionedDefinition, other: VersionedDefinition) -> bool:
    """Tell whether two definitions say the same, apart from name, ETag and context."""
    return _content(one.body) == _content(other.body)


def holds_redacted_secrets(body: bytes) -> bool:
    """Tell whether the service kept a secret out of this definition, so that it can't be restored from it."""
    return _REDACTED in body


def _content(body: msgspec.Raw) -> dict[str, object]:
    members = {name: msgspec.json.decode(value) for name, value in _members(body).items()}
    members.pop("name", None)
    return {name: value for name, value in members.items() if value not in (None, [], {})}


def _members(body: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Give the definition's own members, each as it was sent."""
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return {name: value for name, value in members.items() if not name.startswith("@odata.")}
