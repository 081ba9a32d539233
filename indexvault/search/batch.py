"""A batch of indexing actions and the result of each."""

from collections.abc import Iterable

import msgspec

from indexvault.errors import UnexpectedAnswerError
from indexvault.search.errors import without_quoted_values

MOST_ACTIONS = 1000
"""Actions in a batch at most. Source: service limits, 2026-09."""
MOST_BYTES = 16 * 1000 * 1000
"""Bytes in a batch at most. Source: service limits, 2026-09 (16 MB; taken as the smaller reading of MB)."""

MOST_REASON = 200
"""Characters kept of the service's reason for refusing a document."""
_UPLOAD = b'{"@search.action":"upload",'


class ItemResult(msgspec.Struct, frozen=True, rename="camel"):
    """What became of one document. `error_message` is the service's own, less what it quotes, which may be values."""

    key: str
    status: bool
    status_code: int
    error_message: str | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """Results by document key."""

    results: dict[str, ItemResult]


def may_pass(status_code: int) -> bool:
    """Return whether a document refused with this status may be accepted later.

    409 is a version conflict, 422 an index that is busy for a moment, 429 and 503 load. Source: indexing reference,
    2026-09.
    """
    return status_code in {409, 422, 429, 503}


def upload_action(line: bytes) -> bytes:
    """Make a stored document into an upload action without parsing it."""
    return _UPLOAD + line[1:]


def delete_action(key_field: str, key: str) -> bytes:
    """Make the action that deletes a document."""
    return msgspec.json.encode({"@search.action": "delete", key_field: key})


def batch(actions: Iterable[bytes]) -> bytes:
    """Make actions into the body of a batch."""
    return b'{"value":[' + b",".join(actions) + b"]}"


def upload_batch(lines: Iterable[bytes]) -> bytes:
    """Make stored documents into the body of a batch that uploads them."""
    return batch(upload_action(line) for line in lines)


def read_batch_answer(body: bytes, *, on: str) -> BatchAnswer:
    """Read the results of a batch. Raises UnexpectedAnswerError naming `on` if there are none."""

    class Results(msgspec.Struct):
        value: list[ItemResult]

    try:
        results = msgspec.json.decode(body, type=Results).value
    except msgspec.MsgspecError:
        raise UnexpectedAnswerError("no results in the answer to a batch", on=on, do="Repeat") from None
    return BatchAnswer(results={result.key: _without_values(result) for result in results})


def _without_values(result: ItemResult) -> ItemResult:
    if not result.error_message:
        return result
    message = without_quoted_values(" ".join(result.error_message.split()))[:MOST_REASON]
    return msgspec.structs.replace(result, error_message=message)
