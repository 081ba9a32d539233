"""Uploads, merges and deletions: `POST /docs/search.index`.

Source: Add, Update or Delete Documents in the REST reference, and recorded traffic of the official SDKs' tests.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from emulator.failures import MalformedDocumentError, ServiceError, UnfitDocumentError, invalid_request
from emulator.faults import Rule
from emulator.index import Document, Index
from emulator.schema import Field, Schema
from emulator.tiers import MAX_ACTIONS, MAX_COMPLEX_ELEMENTS, MAX_KEY_LENGTH
from emulator.values import empty, renderer

_KEY = re.compile(r"[A-Za-z0-9_=-]+")
_ACTIONS = frozenset({"upload", "merge", "mergeOrUpload", "delete"})
_ACTION = "@search.action"


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """The result of one action, in the service's own shape."""

    key: str
    status: bool
    error_message: str | None
    status_code: int


class Action(msgspec.Struct, frozen=True):
    """A checked action; `given` is the document as sent, `fields` its rendered values."""

    kind: str
    key: str
    given: Document
    fields: Document
    problem: str | None = None
    """Why this document is refused; None if it isn't."""


class Reader:
    """Checks and renders the documents of one schema."""

    def __init__(self, schema: Schema) -> None:
        self.key = schema.key.name
        self.renderers = {field.name: renderer(field) for field in schema.fields}
        self.empties: Document = {field.name: empty(field) for field in schema.fields}
        self.nested = tuple(field for field in schema.fields if field.complex)
        self.merged_into = _merged_into(schema.fields)

    def actions(self, body: bytes, *, unsafe_keys: bool) -> list[Action]:
        """Parse a request's actions; a malformed one refuses the whole request."""
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as problem:
            raise invalid_request(f"Invalid JSON. {problem}.") from problem
        if not isinstance(parsed, dict) or not isinstance(parsed.get("value"), list) or set(parsed) != {"value"}:
            raise invalid_request("actions : The request must be an object with an array named 'value'.")
        documents = parsed["value"]
        if not 1 <= len(documents) <= MAX_ACTIONS:
            found = "No indexing actions" if not documents else f"{len(documents)} indexing actions"
            raise ServiceError(
                400,
                f"The request is invalid. Details: actions : {found} found in the request. Please include between 1 "
                f"and {MAX_ACTIONS} indexing actions in your request.",
                code="MissingRequiredParameter" if not documents else "InvalidRequestParameter",
            )
        return [self._action(at, document, unsafe_keys=unsafe_keys) for at, document in enumerate(documents)]

    def completed(self, fields: Document) -> Document:
        """Return a document with every field, in schema order."""
        return self.empties | fields

    def _action(self, at: int, document: object, *, unsafe_keys: bool) -> Action:
        if not isinstance(document, dict):
            raise invalid_request(
                "An unexpected 'PrimitiveValue' node was found when reading from the JSON reader. "
                "A 'StartObject' node was expected."
            )
        kind = document.pop(_ACTION, "upload")
        if not isinstance(kind, str) or kind not in _ACTIONS:
            raise invalid_request(f"actions : {at}: '{kind}' is not a valid value of @search.action.")
        key = document.get(self.key)
        if key is None or key == "":
            raise invalid_request(f"actions : {at}: Document key cannot be missing or empty.\r\n")
        try:
            fields = {name: self._value(name, value) for name, value in document.items()}
            self._check_elements(fields)
        except MalformedDocumentError as problem:
            raise invalid_request(str(problem)) from problem
        except UnfitDocumentError as problem:
            return Action(kind, str(key), {}, {}, str(problem))
        _check_key(at, fields[self.key], unsafe=unsafe_keys)
        return Action(kind, fields[self.key], document, fields)

    def _value(self, name: str, value: Any) -> Any:
        render = self.renderers.get(name)
        if render is None:
            raise MalformedDocumentError(
                f"The property '{name}' does not exist on type 'search.documentFields'. Make sure to only use property "
                "names that are defined by the type."
            )
        return render(value)

    def _check_elements(self, fields: Document) -> None:
        elements = sum(_elements(fields.get(field.name), field) for field in self.nested)
        if elements > MAX_COMPLEX_ELEMENTS:
            raise UnfitDocumentError(
                f"The document has {elements} objects in complex collections, more than the maximum of "
                f"{MAX_COMPLEX_ELEMENTS} across all complex collections."
            )


class Outcome(msgspec.Struct, frozen=True):
    """The effect of a batch: the results in order, and the documents to write."""

    results: list[Result]
    upserts: dict[str, Document]
    deleted: set[str]


def decide(index: Index, reader: Reader, actions: list[Action], item_fault: Callable[[str], Rule | None]) -> Outcome:
    """Apply a batch to the current documents; `item_fault` returns the rule by which a key fails, if any."""
    merging = [action.key for action in actions if action.kind in {"merge", "mergeOrUpload"}]
    stored: dict[str, Document | None] = dict(index.documents(merging)) if merging else {}
    present = index.existing([action.key for action in actions])
    results: list[Result] = []
    upserts: dict[str, Document] = {}
    deleted: set[str] = set()
    for action in actions:
        refusal = _refusal(action, item_fault(action.key))
        if refusal is not None:
            results.append(refusal)
            continue
        key = action.key
        there = key in present
        if action.kind == "delete":
            present.discard(key)
            upserts.pop(key, None)
            stored[key] = None
            if there:
                deleted.add(key)
            results.append(Result(key, status=True, error_message=None, status_code=200))
            continue
        if action.kind == "merge" and not there:
            results.append(Result(key, status=False, error_message="Document not found.", status_code=404))
            continue
        before = upserts.get(key) or stored.get(key)
        merges = action.kind != "upload" and there and before is not None
        document = reader.completed(_merged(before, action, reader) if merges else action.fields)
        upserts.pop(key, None)
        upserts[key] = document
        deleted.discard(key)
        present.add(key)
        results.append(Result(key, status=True, error_message=None, status_code=200 if there else 201))
    return Outcome(results, upserts, deleted)


def _merged(before: Document | None, action: Action, reader: Reader) -> Document:
    return _laid_over(before or {}, action.fields, action.given, reader.merged_into)


def _laid_over(before: Document, fields: Document, given: Document, merged_into: Mapping[str, Field]) -> Document:
    """Merge values into a document: collections as a whole, complex values by sub-field."""
    result = dict(before)
    for name, value in given.items():
        old, new, field = result.get(name), fields[name], merged_into.get(name)
        if field is None or value is None or old is None:
            result[name] = new
        else:
            result[name] = _laid_over(old, new, value, _merged_into(field.fields))
    return result


def _merged_into(fields: Sequence[Field]) -> Mapping[str, Field]:
    return {field.name: field for field in fields if field.complex and not field.collection}


def _refusal(action: Action, fault: Rule | None) -> Result | None:
    if action.problem is not None:
        return Result(action.key, status=False, error_message=action.problem, status_code=400)
    if fault is not None:
        message = fault.message or _FAULTS.get(fault.status, "Failed.")
        return Result(action.key, status=False, error_message=message, status_code=fault.status)
    return None


_FAULTS = {
    409: "A version conflict was detected when attempting to index the document.",
    422: "The index is temporarily unavailable because it was updated with 'allowIndexDowntime'.",
    503: "The service is too busy to index the document.",
}


def _elements(value: Any, field: Field) -> int:
    """Count the objects in complex collections at and below a value."""
    if value is None:
        return 0
    items = value if field.collection else [value]
    below = sum(_elements(item[child.name], child) for item in items for child in field.fields if child.complex)
    return below + (len(items) if field.collection else 0)


def _check_key(at: int, key: str, *, unsafe: bool) -> None:
    if len(key) > MAX_KEY_LENGTH:
        problem = f"Document keys cannot be longer than {MAX_KEY_LENGTH} characters"
    elif unsafe:
        return
    elif key.startswith("_"):
        problem = "Keys cannot start with a leading underscore"
    elif not _KEY.fullmatch(key):
        problem = (
            "Keys can only contain letters, digits, underscore (_), dash (-), or equal sign (=). If the keys in your "
            "source data contain other characters, we recommend encoding them with a URL-safe version of Base64 before "
            "uploading them to your index"
        )
    else:
        return
    raise ServiceError(
        400,
        f"The request is invalid. Details: actions : {at}: Invalid document key: '{key}'. {problem}.\r\n",
        code="InvalidDocumentKey",
    )
