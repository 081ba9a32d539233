"""Build batches of indexing actions and read their results."""

import re
from collections.abc import Iterable

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, IntegrityError, UnexpectedAnswerError
from indexvault.search.annotations import may_have_annotations, without_annotations
from indexvault.search.errors import names_quota, without_quoted_values

MOST_ACTIONS = 1000
"""Actions in a batch at most. Source: Service limits in Azure AI Search, 2026-09."""
MOST_BYTES = 16 * 1000 * 1000
"""Bytes in a batch at most: 16 MB in its smaller reading. Source: Service limits in Azure AI Search, 2026-09."""

MOST_REASON = 200
"""Characters kept of the service's reason for refusing a document."""
UPLOAD = b'{"@search.action":"upload",'
"""What the action of an upload begins with; the document follows, without its first brace."""

_MERGE = b'{"@search.action":"mergeOrUpload",'
_BEGIN_DOCUMENT = b'{"'
_BEGIN, _END = b'{"value":[', b"]}"
_OBJECT_WITH_MEMBERS = re.compile(rb'\{\s*"')


class ItemResult(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The result of one action. `error_message` is the service's own, without the values it quotes."""

    key: str
    status: bool
    status_code: int
    error_message: str | None = None

    @property
    def names_quota(self) -> bool:
        """Whether the document was refused because the service is full. Which status that has is not documented."""
        return not self.status and names_quota(self.error_message or "")


class BatchAnswer(msgspec.Struct, frozen=True):
    """Results by document key."""

    results: dict[str, ItemResult]


class _Results(msgspec.Struct, frozen=True):
    value: list[ItemResult]


def may_pass(status_code: int) -> bool:
    """Return whether a document refused with this status may be accepted later.

    409 is a version conflict, 422 an index that is busy for a moment, 429 and 503 load. Source: Documents - Index (REST
    API), 2026-09.
    """
    return status_code in {409, 422, 429, 503}


def upload_action(line: bytes) -> bytes:
    """Return the upload action for a stored document, which has no say in what the action is.

    Raises IntegrityError if the line can't be a document.
    """
    return _action(UPLOAD, line)


def merge_action(line: bytes) -> bytes:
    """Return the action that merges a document into the one with its key, or adds it. Raises as `upload_action`.

    Fields that it lacks keep their values. Source: Documents - Index (REST API), 2026-09.
    """
    return _action(_MERGE, line)


def _action(start: bytes, line: bytes) -> bytes:
    try:
        document = without_annotations(line)
    except UNDECODABLE:
        document = b""
    if not document.startswith(b'{"') and not _OBJECT_WITH_MEMBERS.match(document):
        raise IntegrityError(
            "a stored line is no document", on="the snapshot", do="Run indexvault verify, and restore another snapshot"
        )
    return b"".join((start, memoryview(document)[1:]))


def uploads(lines: bytes, documents: int) -> list[memoryview] | None:
    """Return the upload actions for so many stored documents, one a line, each without `UPLOAD`, and not copied.

    Return None where `upload_action` has to look at each: one may have annotations, or a line may be no document.
    """
    if may_have_annotations(lines):
        return None
    view = memoryview(lines)
    found: list[memoryview] = []
    start = 0
    while (end := lines.find(b"\n", start)) >= 0:
        if not lines.startswith(_BEGIN_DOCUMENT, start):
            return None
        found.append(view[start + 1 : end])
        start = end + 1
    return found if len(found) == documents and start == len(lines) else None


def delete_action(key_field: str, key: str) -> bytes:
    """Return the action that deletes a document."""
    return msgspec.json.encode({"@search.action": "delete", key_field: key})


def batch(actions: Iterable[bytes | memoryview], begin: bytes = b"") -> bytes:
    """Return the body of a batch of actions, each of which lacks the bytes that all `begin` with."""
    taken = list(actions)
    if not taken:
        return _BEGIN + _END
    parts: list[bytes | memoryview] = [b"," + begin] * (2 * len(taken) + 1)
    parts[1::2] = taken
    parts[0], parts[-1] = _BEGIN + begin, _END
    return b"".join(parts)


def read_batch_answer(body: bytes, *, on: str) -> BatchAnswer:
    """Read the results of a batch. Raises UnexpectedAnswerError naming `on` if the answer holds none."""
    try:
        results = decode(body, _Results).value
    except UNDECODABLE:
        raise UnexpectedAnswerError("no results in the answer to a batch", on=on, do="Repeat") from None
    return BatchAnswer(
        results={result.key: _without_values(result) if result.error_message else result for result in results}
    )


def _without_values(result: ItemResult) -> ItemResult:
    message = without_quoted_values(" ".join((result.error_message or "").split()))[:MOST_REASON]
    return msgspec.structs.replace(result, error_message=message)
