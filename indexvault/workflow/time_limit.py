"""The time limit of a run: how long it may work before it is ended as failed."""

from datetime import datetime, timedelta

from indexvault.errors import TimeLimitError
from indexvault.workflow.runs import RunRecord


def is_past_limit(record: RunRecord, now: datetime) -> bool:
    """Return whether a run has worked for longer than it may, counted from its start, or from its order if it waits."""
    return record.time_limit is not None and now - (record.started or record.created) > record.time_limit


def past_limit(limit: timedelta, on: str) -> TimeLimitError:
    """Return the error of a run that was ended since it took too long."""
    return TimeLimitError(
        f"it was ended after its time limit of {in_words(limit)}",
        on=on,
        do="See whether the service is slow or the index has grown; raise the time limit, or run it again",
    )


def in_words(duration: timedelta) -> str:
    """Return a duration as a person says it: 6 h, 1 d 12 h, 90 s."""
    seconds = int(duration.total_seconds())
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0 s"
