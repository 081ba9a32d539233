"""The log on stderr: one line an entry, with tracebacks only at level debug."""

import logging
from typing import override

from rich.console import Console
from rich.text import Text

from indexvault.cli.formatting import one_line
from indexvault.workflow.logs import JsonEntries, WorkLabels

_LIBRARIES = ("asyncio", "azure", "durabletask", "indexvault.workflow.local", "grpc")
"""Our own errors report what these log, in fewer words; their logs only help to find a bug."""
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


def configure_logs(level: str, console: Console, *, as_json: bool = False) -> None:
    """Send log entries of a level and above to a console, as text for a person or as JSON Lines."""
    debug = level == "debug"
    root = logging.getLogger()
    handler = _ConsoleHandler(console, debug=debug, entries=JsonEntries(tracebacks=debug) if as_json else None)
    handler.addFilter(WorkLabels())
    root.handlers = [handler]
    root.setLevel(level.upper())
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.DEBUG if debug else logging.CRITICAL)
    # At lower levels the SDKs log every request with its address.
    logging.getLogger("azure").setLevel(logging.WARNING if debug else logging.CRITICAL)


class _ConsoleHandler(logging.Handler):
    """Writes entries above the bars that are being drawn."""

    def __init__(self, console: Console, *, debug: bool, entries: JsonEntries | None) -> None:
        super().__init__()
        self._console = console
        self._debug = debug
        self._entries = entries

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._line(record) if self._entries is None else Text(self._entries.format(record))
            self._console.print(line, soft_wrap=True)
            if self._debug and self._entries is None and record.exc_info:
                # Indented, so that no line of an error's text can be taken for an entry.
                for traced in logging.Formatter().formatException(record.exc_info).split("\n"):
                    self._console.print(Text(f"  {traced}"), soft_wrap=True)
        except Exception:  # noqa: BLE001 - the logging library's own contract: what can't be written is handed to it
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> Text:
        line = Text()
        line.append(record.levelname.lower(), style=_STYLES.get(record.levelno, "dim"))
        service = getattr(record, "service", None)
        operation = getattr(record, "operation", None)
        about = " ".join(part for part in (service, operation) if part) or (record.name if self._debug else "")
        line.append(f" {about}: {one_line(record.getMessage())}" if about else f" {one_line(record.getMessage())}")
        return line
