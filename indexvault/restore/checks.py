"""The findings of preflight checks, of a restore or a move."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from indexvault.errors import ErrorRecord, IndexvaultError, from_record
from indexvault.restore.patch import combined, read_patch


class Check(msgspec.Struct, frozen=True):
    """One finding of the preflight.

    `what` says what was found, `do` what to do about it; `error` is the kind of error that a failed check raises.
    `patch` is the patch of the definition with which it would not fail, if there is one.
    """

    name: str
    outcome: Literal["ok", "warning", "failed"]
    what: str
    do: str = ""
    error: str = ""
    patch: dict[str, Any] | None = None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What preflight found, and what the work would take; `seconds` is a rough guess.

    `resumes` is the execution that would be resumed. `patch` is the request's own patch with what the failed checks
    need, if they need any.
    """

    resumes: str | None
    documents: int
    bytes: int
    requests: int
    seconds: float
    checks: list[Check]
    patch: dict[str, Any] | None = None

    @property
    def ready(self) -> bool:
        """Whether the work would begin."""
        return not failed(self.checks)


def failed(found: Sequence[Check]) -> list[Check]:
    """Return the checks that failed."""
    return [check for check in found if check.outcome == "failed"]


def offered_patch(asked: str | None, found: Sequence[Check]) -> dict[str, Any] | None:
    """Return the patch that was asked for with those that the failed checks need, or None if they need none."""
    needed = [check.patch for check in failed(found) if check.patch is not None]
    if not needed:
        return None
    patch = read_patch(asked) if asked is not None else {}
    for each in needed:
        patch = combined(patch, each)
    return patch


def failure(found: Sequence[Check], on: str) -> IndexvaultError | None:
    """Return one error for all failed checks, of the first one's kind, or None if none failed."""
    stop = failed(found)
    if not stop:
        return None
    what = "; ".join(f"{check.name}: {check.what}" for check in stop)
    do = " ".join(dict.fromkeys(f"{check.do}." for check in stop if check.do)).removesuffix(".")
    return from_record(ErrorRecord(kind=stop[0].error, what=f"{what}; nothing was touched", on=on, do=do))
