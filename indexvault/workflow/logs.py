"""Log entries labelled with the run, service and index that they are about."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, override

import msgspec

from indexvault.printable import printable, printable_json, printable_line

_LABELS = ("run", "service", "index", "operation")
_WORKING: ContextVar[Mapping[str, str] | None] = ContextVar("working", default=None)


@contextlib.contextmanager
def labelled(labels: Mapping[str, str]) -> Iterator[None]:
    """Label what is logged within the block and by the tasks that it starts."""
    token = _WORKING.set(labels)
    try:
        yield
    finally:
        _WORKING.reset(token)


class WorkLabels(logging.Filter):
    """Adds `run`, `service` and `index` to entries that are logged while an activity works; keeps every entry.

    Add it to handlers: a logger's filters don't see the entries of the loggers below it.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in (_WORKING.get() or {}).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class JsonEntries(logging.Formatter):
    """Formats each entry as one line of JSON: time, level, logger, message, and its labels."""

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
        return printable_json(msgspec.json.encode(entry).decode())


class _LabelledAsJson(JsonEntries):
    """Formats entries about a run as JSON, and all others, such as the platform's own, as text."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record) if hasattr(record, "run") else logging.Formatter.format(self, record)

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable_line(super().formatMessage(record))

    @override
    def formatException(self, ei: Any) -> str:
        # Indented, so that no line of an error's text can be taken for an entry.
        return "\n".join(f"  {printable(line)}" for line in super().formatException(ei).split("\n"))


def label_entries(root: logging.Logger) -> None:
    """Add the labels to the handlers that a platform has installed already.

    A handler without a formatter, such as the Functions worker's, sends JSON for entries about a run. OpenTelemetry's
    handlers send labels as attributes by themselves.
    """
    for handler in root.handlers:
        handler.addFilter(WorkLabels())
        if handler.formatter is None and not type(handler).__module__.startswith("opentelemetry."):
            handler.setFormatter(_LabelledAsJson(tracebacks=True))
