"""How an error of ours crosses the engine.

The engine keeps a failed step's message and the name of its error's class. The message therefore carries the error's
parts as JSON behind a mark, wherever a host puts it into a longer text.
"""

import msgspec
from durabletask.task import FailureDetails, TaskFailedError

from indexvault.errors import ErrorRecord, IndexvaultError, from_record

_MARK = "indexvault-error:"


class ActivityFailedError(Exception):
    """Raised inside the engine in place of an error of ours."""

    def __init__(self, error: IndexvaultError) -> None:
        super().__init__(_MARK + msgspec.json.encode(error.record()).decode())


def failure_of(error: TaskFailedError) -> IndexvaultError:
    """Return the error of ours behind a failed step; what was never one becomes the root of the tree."""
    return error_of(error.details)


def error_of(details: FailureDetails) -> IndexvaultError:
    """Return the error of ours from what the engine keeps of a failure."""
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
    """Decode the JSON object that a text begins with, whatever follows it."""
    end = text.find("}")
    while end >= 0:
        try:
            return msgspec.json.decode(text[: end + 1], type=ErrorRecord)
        except msgspec.MsgspecError:
            end = text.find("}", end + 1)
    return None
