"""Make the definition that a target gets from the snapshot's."""

import contextlib

import msgspec

from indexvault.errors import SettingsError, UnexpectedAnswerError
from indexvault.restore.patch import patched, read_patch
from indexvault.search.definition_content import same_content
from indexvault.search.schema import read_schema
from indexvault.snapshots.manifest import Definition, VersionedDefinition


class TargetDefinition(msgspec.Struct, frozen=True):
    """A definition to send to a service: its JSON, and whether only the preview api-version knows all of it."""

    body: msgspec.Raw
    preview: bool


def target_definition(definition: Definition, name: str, patch: str | None = None) -> TargetDefinition:
    """Return the definition under another name, without what the service adds when it answers, and with the patch.

    Raises SettingsError for a patch that can't be applied.
    """
    chosen = renamed(version_to_send(definition), name)
    if patch is None:
        return chosen
    change = read_patch(patch)
    chosen = TargetDefinition(body=patched(chosen.body, change), preview=chosen.preview)
    try:
        read_schema(chosen.body, on="patch")
    except UnexpectedAnswerError as error:
        raise SettingsError(
            f"it does not leave an index definition: {error.what}", on="patch", do="Correct the patch"
        ) from None
    if not chosen.preview or definition.needs_preview:
        return chosen
    with contextlib.suppress(SettingsError):
        stable = renamed(TargetDefinition(body=definition.stable.body, preview=False), name)
        plain = patched(stable.body, change)
        if same_content(plain, chosen.body):
            # The patch takes out all that only the preview knows: a service without it can make the rest.
            return TargetDefinition(body=plain, preview=False)
    return chosen


def version_to_send(definition: Definition) -> TargetDefinition:
    """Return the version to send: the preview's only if it says more, so that a stable service gets stable requests."""
    if definition.preview is not None and not same_definition(definition.stable, definition.preview):
        return TargetDefinition(body=definition.preview.body, preview=True)
    return TargetDefinition(body=definition.stable.body, preview=definition.needs_preview)


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


def same_when_shown(present: msgspec.Raw, shown: msgspec.Raw) -> bool:
    """Return whether `shown` is the definition `present`, perhaps with its hidden fields shown."""
    return same_content(with_fields_shown(TargetDefinition(body=present, preview=False)).body, shown)


def _members(body: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the definition's own members, each as it was sent."""
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return {name: value for name, value in members.items() if not name.startswith("@odata.")}


def _below(level: dict[str, object], name: str) -> dict[str, object]:
    inner = level.setdefault(name, {})
    assert isinstance(inner, dict)  # noqa: S101 - made right here
    return inner
