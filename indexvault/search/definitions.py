"""Definitions and aliases as a service sent them."""

import msgspec

from indexvault.errors import UnexpectedAnswerError
from indexvault.model import definition_fault
from indexvault.search.transport import Answer, decode_answer, without_mark


class FetchedDefinition(msgspec.Struct, frozen=True):
    """A definition as the service sent it, with its ETag."""

    api_version: str
    body: msgspec.Raw
    etag: str


class NamedDefinition(msgspec.Struct, frozen=True):
    """One object of a service's collection, as the service sent it."""

    name: str
    api_version: str
    body: msgspec.Raw


class Alias(msgspec.Struct, frozen=True):
    """An alias, the indexes behind it (the service allows one), and its ETag."""

    name: str
    indexes: tuple[str, ...]
    etag: str

    @property
    def index(self) -> str | None:
        """The index behind the alias."""
        return self.indexes[0] if self.indexes else None

    def is_same(self, other: "Alias | None") -> bool:
        """Return whether the other alias leads where this one does. A new ETag alone is no change."""
        return other is not None and (self.etag == other.etag or self.indexes == other.indexes)


class _Alias(msgspec.Struct):
    name: str
    indexes: list[str]
    etag: str = msgspec.field(default="", name="@odata.etag")


def read_definition(answer: Answer, *, on: str) -> FetchedDefinition:
    """Read one definition. Raises UnexpectedAnswerError naming `on` if the answer is none."""

    class Tagged(msgspec.Struct):
        etag: str = msgspec.field(default="", name="@odata.etag")

    etag = decode_answer(answer, Tagged, on=on).etag or answer.headers.get("etag", "")
    body = _usable(msgspec.Raw(without_mark(answer.body)), on=on)
    return FetchedDefinition(api_version=answer.api_version, body=body, etag=etag)


def read_definitions(answer: Answer, *, on: str) -> list[NamedDefinition]:
    """Read the objects on a page of a collection. Raises UnexpectedAnswerError naming `on` if the answer is no list."""

    class Listed(msgspec.Struct):
        value: list[msgspec.Raw]

    class Named(msgspec.Struct):
        name: str

    class AllNamed(msgspec.Struct):
        value: list[Named]

    bodies = decode_answer(answer, Listed, on=on).value
    named = decode_answer(answer, AllNamed, on=on).value
    return [
        NamedDefinition(name=each.name, api_version=answer.api_version, body=_usable(msgspec.Raw(bytes(raw)), on=on))
        for each, raw in zip(named, bodies, strict=True)
    ]


def read_alias(answer: Answer, *, on: str) -> Alias:
    """Read one alias. Raises UnexpectedAnswerError naming `on` if the answer is none."""
    read = decode_answer(answer, _Alias, on=on)
    return Alias(name=read.name, indexes=tuple(read.indexes), etag=read.etag or answer.headers.get("etag", ""))


def read_aliases(answer: Answer, *, on: str) -> list[Alias]:
    """Read the aliases on a page, sorted by name. Raises UnexpectedAnswerError naming `on` if the answer is no list."""

    class Aliases(msgspec.Struct):
        value: list[_Alias]

    found = decode_answer(answer, Aliases, on=on).value
    return sorted(
        (Alias(name=each.name, indexes=tuple(each.indexes), etag=each.etag) for each in found),
        key=lambda alias: alias.name,
    )


def _usable(body: msgspec.Raw, *, on: str) -> msgspec.Raw:
    reason = definition_fault(body)
    if reason is not None:
        raise UnexpectedAnswerError(
            f"not a definition: {reason}", on=on, do="Check that the endpoint is an Azure AI Search service"
        )
    return body
