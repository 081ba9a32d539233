"""Log entries that say which run, service and index they are about."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import override

import msgspec

_LABELS = ("run", "service", "index", "operation")
_WORKING: ContextVar[Mapping[str, str] | None] = ContextVar("working", default=None)


@contextlib.contextmanager
def labelled(labels: Mapping[str, str]) -> Iterator[None]:
    """Label what is logged within the block, and by the tasks that it starts."""
    token = _WORKING.set(labels)
    try:
        yield
    finally:
        _WORKING.reset(token)


class WorkLabels(logging.Filter):
    """Adds `run`, `service` and `index` to entries that are logged while a step works; keeps every entry.

    Belongs on handlers: a logger's filters don't see what the loggers below it have to say.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in (_WORKING.get() or {}).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class JsonEntries(logging.Formatter):
    """Return each entry as one line of JSON: time, level, logger, message, and the labels that it has."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    @override
    def format(self, record: logging.LogRecord) -> str:
        labels = {name: getattr(record, name, None) for name in _LABELS}
        entry = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in labels.items() if isinstance(value, str)},
        }
        if self._tracebacks and record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


class _LabelledAsJson(JsonEntries):
    """Return entries about a run as JSON, and all others, such as the platform's own, as they would be without it."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record) if hasattr(record, "run") else logging.Formatter.format(self, record)


def label_entries(root: logging.Logger) -> None:
    """Have a platform's handlers, which are there already, tell the labels.

    One that sends text alone, as that of the Functions worker does, sends JSON for entries about a run. Those of
    OpenTelemetry send labels as attributes by themselves.
    """
    for handler in root.handlers:
        handler.addFilter(WorkLabels())
        if handler.formatter is None and not type(handler).__module__.startswith("opentelemetry."):
            handler.setFormatter(_LabelledAsJson(tracebacks=True))
