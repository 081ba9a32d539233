"""Preflight checks of a move: those of its restore, with advice that a move can follow."""

from collections.abc import Iterable

from msgspec.structs import replace

from indexvault.move.job import MoveJob
from indexvault.restore.checks import Check


def of_move(job: MoveJob, found: Iterable[Check]) -> list[Check]:
    """Return the checks of a move's restore. A move always creates its target, so no other mode is advised."""
    do = f"Move it to another name (--to {job.target_service}/NAME)"
    return [
        replace(check, do=do)
        if check.name == "name" and check.outcome == "failed" and check.error == "ConflictError"
        else check
        for check in found
    ]
