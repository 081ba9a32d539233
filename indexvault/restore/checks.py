"""The findings of preflight checks, of a restore or a move."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from indexvault.errors import ErrorRecord, IndexvaultError, from_record


class Check(msgspec.Struct, frozen=True):
    """One finding of the preflight.

    `what` says what was found, `do` what to do about it; `error` is the kind of error that a failed check raises.
    """

    name: str
    outcome: Literal["ok", "warning", "failed"]
    what: str
    do: str = ""
    error: str = ""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What preflight found, and what the work would take; `seconds` is a rough guess.

    `resumes` is the execution that would be resumed.
    """

    resumes: str | None
    documents: int
    bytes: int
    requests: int
    seconds: float
    checks: list[Check]

    @property
    def ready(self) -> bool:
        """Whether the work would begin."""
        return not failed(self.checks)


def failed(found: Sequence[Check]) -> list[Check]:
    """Return the checks that failed."""
    return [check for check in found if check.outcome == "failed"]


def failure(found: Sequence[Check], on: str) -> IndexvaultError | None:
    """Return one error for all failed checks, of the first one's kind, or None if none failed."""
    stop = failed(found)
    if not stop:
        return None
    what = "; ".join(f"{check.name}: {check.what}" for check in stop)
    do = " ".join(dict.fromkeys(f"{check.do}." for check in stop if check.do)).removesuffix(".")
    return from_record(ErrorRecord(kind=stop[0].error, what=f"{what}; nothing was touched", on=on, do=do))
