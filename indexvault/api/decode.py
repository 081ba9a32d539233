"""Decode requests. Each refusal names the member that is wrong."""

import contextlib
import re
from collections.abc import Iterator, Mapping

import msgspec

from indexvault.bounds import check_levels, decode
from indexvault.errors import UNDECODABLE, MalformedError, OversizedError, RequestError, SettingsError

BODY_LIMIT = 1_000_000
_PATH_OF_MEMBER = re.compile(r"^(?P<what>.*?)(?: - at (?:key in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_MEMBER_OF_OBJECT = re.compile(r"(?:missing required|unknown) field `([^`]*)`")
_LONGEST_WORDS = 300
_DOCUMENT = "Compare the request with GET /api/openapi.json"


def decode_body[Body](data: bytes, kind: type[Body]) -> Body:
    """Decode a JSON body of at most BODY_LIMIT bytes. Raises OversizedError, MalformedError, RequestError."""
    if len(data) > BODY_LIMIT:
        raise OversizedError(
            f"the body has {len(data)} bytes and at most {BODY_LIMIT} are taken", on="body", do="Send less"
        )
    try:
        check_levels(data)
    except msgspec.DecodeError as error:
        raise RequestError(str(error), on=_deepest(data), do=_DOCUMENT) from None
    try:
        return decode(data, kind)
    except msgspec.ValidationError as error:
        raise _unusable(error, "body") from None
    except UNDECODABLE:
        raise MalformedError("the body is not JSON that can be read", on="body", do="Send a JSON object") from None


def decode_members[Members](given: Mapping[str, str], kind: type[Members], where: str) -> Members:
    """Decode the parameters of a path or a query. Raises RequestError."""
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _unusable(error, where) from None
    except UnicodeError:
        raise RequestError("it is not UTF-8 text", on=where, do=_DOCUMENT) from None


@contextlib.contextmanager
def blame_members(*members: str) -> Iterator[None]:
    """Turn a SettingsError whose `on` begins with one of these members of the body into a RequestError on it."""
    try:
        yield
    except SettingsError as error:
        member, _, rest = error.on.partition(" ")
        if member not in members:
            raise
        path = rest.removeprefix("$") if rest.startswith("$") else ""
        raise RequestError(error.what, on=f"body.{member}{path}"[:_LONGEST_WORDS], do=error.do) from None


def _deepest(data: bytes) -> str:
    """Return which member of a body nests too deep, or the body if that can't be told."""
    with contextlib.suppress(*UNDECODABLE):
        for name, inner in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
            try:
                check_levels(inner)
            except msgspec.DecodeError:
                return f"body.{_printable(name)}"
    return "body"


def _unusable(error: msgspec.ValidationError, where: str) -> RequestError:
    found = _PATH_OF_MEMBER.match(str(error))
    what, path = (found["what"], found["path"] or "$") if found else (str(error), "$")
    text = f"{what[:1].lower()}{what[1:]}"
    # msgspec's path ends at the object that lacks a member or has an unknown one; its text names the member.
    of_object = _MEMBER_OF_OBJECT.search(what)
    member = f"{where}{path.removeprefix('$')}" + (f".{of_object[1]}" if of_object else "")
    return RequestError(_printable(text), on=_printable(member), do=_DOCUMENT)


def _printable(text: str) -> str:
    """Return a text, which may be the caller's, as one line for the answer and the log."""
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST_WORDS])
