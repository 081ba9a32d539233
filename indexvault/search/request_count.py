"""Count the requests of one piece of work, whatever else runs at the same time."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


class RequestCounter:
    """The requests that a piece of work has sent so far, failed attempts included."""

    def __init__(self) -> None:
        self.requests = 0


_CURRENT: ContextVar[RequestCounter | None] = ContextVar("requests", default=None)


@contextlib.contextmanager
def counted_requests() -> Iterator[RequestCounter]:
    """Count the requests that are sent within the block, and by the tasks that it starts."""
    counter = RequestCounter()
    token = _CURRENT.set(counter)
    try:
        yield counter
    finally:
        _CURRENT.reset(token)


def note_request() -> None:
    """Count a request that is about to be sent."""
    counter = _CURRENT.get()
    if counter is not None:
        counter.requests += 1
