"""How an IndexvaultError crosses the engine.

Of a failed activity the engine keeps the message and the name of the error's class. The message therefore carries the
error's record as JSON behind a mark, so that it is found inside whatever longer text a host makes of it.
"""

import msgspec
from durabletask.task import FailureDetails, TaskFailedError

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, ErrorRecord, IndexvaultError, from_record

_MARK = "indexvault-error:"


class ActivityFailedError(Exception):
    """Raised inside the engine in place of an IndexvaultError; its message carries that error's record."""

    def __init__(self, error: IndexvaultError) -> None:
        super().__init__(_MARK + msgspec.json.encode(error.record()).decode())


def failure_of(error: TaskFailedError) -> IndexvaultError:
    """Return the IndexvaultError behind a failed task; any other error becomes a plain IndexvaultError."""
    return error_of(error.details)


def error_of(details: FailureDetails) -> IndexvaultError:
    """Return the IndexvaultError behind what the engine keeps of a failure, as `failure_of` does."""
    _before, mark, rest = details.message.partition(_MARK)
    if mark:
        record = _first_record(rest)
        if record is not None:
            return from_record(record)
    return IndexvaultError(
        f"unexpected {details.error_type.rpartition('.')[2] or 'failure'}",
        on="indexvault",
        do="Run again with --log-level debug and report what it prints",
    )


def _first_record(text: str) -> ErrorRecord | None:
    """Decode the record that a text begins with, whatever follows it. Return None if there is none."""
    end = text.find("}")
    while end >= 0:
        try:
            return decode(text[: end + 1], ErrorRecord)
        except UNDECODABLE:
            end = text.find("}", end + 1)
    return None
