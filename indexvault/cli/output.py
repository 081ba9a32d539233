"""The output of a command: text for people, or JSON Lines for programs.

Results go to stdout. Progress, the log and errors go to stderr, so that a program can read stdout; with --json both are
JSON Lines throughout, and an error is told on both. Everything goes
through `SafeConsole` or `printable_json`, so that nothing from a service, a store or a deployment can control the
terminal.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TextIO, cast, override

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from indexvault.cli.formatting import one_line
from indexvault.cli.progress import Bars, Lines, NoProgress, ProgressDisplay
from indexvault.errors import IndexvaultError
from indexvault.printable import printable, printable_json, printable_line

_WIDTH_OF_FILES = 400
"""Columns where the output is no terminal, so that no line needs to be folded."""


class Output:
    """The two streams of a command, and the form that its results have."""

    def __init__(
        self, *, as_json: bool, stdout: TextIO, stderr: TextIO, quiet: bool = False, stdin: TextIO | None = None
    ) -> None:
        self.notes = SafeConsole(cast("TextIO", _UnreadableStream(stderr)))
        self._as_json = as_json
        self._quiet = quiet
        self._stdout = stdout
        self._results = SafeConsole(stdout)
        self._starting: Status | None = None
        self.answers = stdin
        """Where an operator's answers come from."""

    def starting(self, what: str) -> None:
        """Show on a terminal that work has begun, until there is something else to show."""
        if self.notes.is_terminal and not self._quiet and not self._as_json and self._starting is None:
            self._starting = self.notes.status(what)
            self._starting.start()

    def started(self) -> None:
        """Take away what `starting` shows, before anything is asked, drawn or printed."""
        if self._starting is not None:
            self._starting.stop()
            self._starting = None

    @property
    def can_ask(self) -> bool:
        """Whether somebody sees a question and can answer it. With --json a program reads, and none is asked."""
        return not self._as_json and self.notes.is_terminal and self.answers is not None and self.answers.isatty()

    def ask(self, question: str, answers: str = "y/N") -> None:
        """Print a question and what may be answered, after which an answer is typed."""
        self.started()
        self.notes.print(Text(f"{question} [{answers}] " if answers else f"{question} "), end="")

    def result(self, event: str, record: Mapping[str, Any], *shown: RenderableType) -> None:
        """Print one result: as a line of JSON with the event's name, or as text for a person."""
        self.started()
        if self._as_json:
            line = printable_json(msgspec.json.encode({"event": event, **record}).decode())
            with self._writing():
                self._stdout.write(line + "\n")
                self._stdout.flush()
        else:
            self.show(*shown)

    def show(self, *shown: RenderableType) -> None:
        """Print text for a person; with --json print nothing."""
        self.started()
        if not self._as_json:
            for each in shown:
                self._show(each)

    def _show(self, shown: RenderableType) -> None:
        """Print; where it is no terminal, without the blanks that pad a table's last column."""
        with self._writing():
            if self._results.is_terminal:
                self._results.print(shown, crop=False)
                return
            with self._results.capture() as capture:
                self._results.print(shown, crop=False, soft_wrap=isinstance(shown, str | Text))
            for line in capture.get().splitlines():
                self._stdout.write(line.rstrip() + "\n")
            self._stdout.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write to stdout. Raises BrokenPipeError if its reader has closed it, IndexvaultError if its disk is full."""
        try:
            yield
        except OSError as error:
            # The interpreter would try to write what is left in the buffer once more at its end, and fail noisily.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stdout.fileno())
            if isinstance(error, BrokenPipeError):
                raise
            raise IndexvaultError(
                f"the output can't be written ({error.strerror})",
                on="stdout",
                do="Free space, or write elsewhere",
            ) from None

    def error(self, error: IndexvaultError) -> int:
        """Print an error in one line, with --json as a record on both streams, and return its exit code."""
        self.started()
        with suppress(BrokenPipeError, IndexvaultError):  # stderr and the exit code say it in any case
            if self._as_json:
                self.result("error", {**msgspec.to_builtins(error.record()), "exit_code": error.exit_code})
        if self._as_json:
            self._tell("error", {**msgspec.to_builtins(error.record()), "exit_code": error.exit_code})
            return error.exit_code
        line = Text("indexvault: ", style="bold red", end="")
        line.append(one_line(str(error)), style="not bold default")
        self.notes.print(line, soft_wrap=not self.notes.is_terminal)
        return error.exit_code

    def note(self, text: str) -> None:
        """Print what an operator should know beside the results."""
        self.started()
        if self._as_json:
            self._tell("note", {"message": text})
        else:
            self.notes.print(text, soft_wrap=not self.notes.is_terminal)

    def _tell(self, event: str, record: Mapping[str, Any]) -> None:
        """Print a line of JSON on stderr."""
        line = printable_json(msgspec.json.encode({"event": event, **record}).decode())
        self.notes.print(Text(line), soft_wrap=True)

    def progress(self, subject: str) -> AbstractContextManager[ProgressDisplay]:
        """Show the progress of something: with bars on a terminal, else (and with --json) with a line now and then."""
        self.started()
        if self._quiet:
            return nullcontext(NoProgress())
        if self._as_json:
            return Lines(self.notes, subject, tell=lambda record: self._tell("progress", record))
        return Bars(self.notes, subject) if self.notes.is_terminal else Lines(self.notes, subject)


class _UnreadableStream:
    """A stream that drops what can't be written to it: work goes on when nobody reads its log any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return what the stream has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what it holds."""
        with self._dropping():
            self._stream.flush()

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            # What is left in the buffer would fail again at the next write, and at the interpreter's end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def _in_one_line(renderable: RenderableType) -> RenderableType:
    """Return a text whose line ends, which could forge lines of ours, are visible; anything else as it is."""
    if isinstance(renderable, str):
        return printable_line(renderable)
    if isinstance(renderable, Text) and "\n" in renderable.plain:
        line = renderable.copy()
        line.plain = printable_line(line.plain)
        return line
    return renderable


class SafeConsole(Console):
    """A console that prints text as text, and each on one line.

    Only what it draws itself, such as bars and tables, begins lines and controls the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        width = None if stream.isatty() else _WIDTH_OF_FILES
        super().__init__(file=stream, width=width, markup=False, highlight=False, emoji=False)

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments of something to print, with visible characters in place of those that control."""
        for segment in super().render(_in_one_line(renderable), options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
