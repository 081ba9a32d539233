"""The progress of a run, stage by stage: bars on a terminal, else a line now and then."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self, override

import rich.progress
from rich.console import Console
from rich.table import Column
from rich.text import Text

from indexvault.cli.formatting import count, duration, size

SECONDS_BETWEEN_LINES = 10.0
_NARROWEST_BAR, _WIDEST_BAR = 10, 32
_BESIDE_BAR = 76
"""Columns that a stage's name and all its figures take beside its bar."""
_WITHOUT_BYTES = 90
"""Columns of a terminal below which a bar shows neither bytes nor rate, so that it stays a bar."""
_EARLIEST_ESTIMATE = 10.0
_SMALLEST_SHARE = 0.02
"""Seconds and share of a stage before which the time left is a guess: the first pages are slower than all others."""

STAGES = {
    "read": "reading",
    "sort": "sorting",
    "verify": "proving chunks",
    "load": "loading",
    "compare": "comparing",
    "copy": "copying",
}


class ProgressDisplay(Protocol):
    """Shows the progress of a run."""

    @property
    def stage(self) -> str:
        """The stage that was last advanced; empty before the first."""
        ...

    def advance(self, stage: str, *, documents: int = 0, bytes: int = 0, expected: int | None = None) -> None:  # noqa: A002 - the word for it
        """Add what a stage has done since the last call. `expected` is the number of documents of the whole stage."""
        ...


class NoProgress:
    """Shows nothing; it only knows the stage."""

    def __init__(self) -> None:
        self.stage = ""

    def advance(self, stage: str, *, documents: int = 0, bytes: int = 0, expected: int | None = None) -> None:  # noqa: A002, ARG002 - the word for it; nothing is shown
        """Note the stage."""
        self.stage = stage


class IndexAfterIndex:
    """Adds up what is expected of indexes that a run restores one after another.

    Each index begins with the stage `verify`, and says what it expects of each stage.
    """

    def __init__(self, display: ProgressDisplay) -> None:
        self._display = display
        self._before: dict[str, int] = {}
        self._expected: dict[str, int] = {}

    @property
    def stage(self) -> str:
        """The stage that was last advanced."""
        return self._display.stage

    def advance(self, stage: str, *, documents: int = 0, bytes: int = 0, expected: int | None = None) -> None:  # noqa: A002 - the word for it
        """Add to a stage of the run, and what the index at hand expects to that of the indexes before it."""
        if expected is not None:
            if stage == "verify":
                for each, number in self._expected.items():
                    self._before[each] = self._before.get(each, 0) + number
                self._expected = {}
            self._expected[stage] = expected
            expected += self._before.get(stage, 0)
        self._display.advance(stage, documents=documents, bytes=bytes, expected=expected)


class Bars:
    """A bar for each stage, with documents, bytes, rate and time left."""

    def __init__(self, console: Console, subject: str) -> None:
        self.stage = ""
        self._subject = subject
        self._tasks: dict[str, rich.progress.TaskID] = {}
        self._console = console
        self._bars = rich.progress.Progress(
            rich.progress.TextColumn("  {task.description}", markup=False),
            rich.progress.BarColumn(bar_width=max(_NARROWEST_BAR, min(_WIDEST_BAR, console.width - _BESIDE_BAR))),
            _Documents(table_column=Column(no_wrap=True)),
            *(
                (_Bytes(table_column=Column(no_wrap=True)), _Rate(table_column=Column(no_wrap=True)))
                if console.width >= _WITHOUT_BYTES
                else ()
            ),
            _TimeLeft(table_column=Column(no_wrap=True)),
            console=console,
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._console.print(self._subject)
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing; the bars stay."""
        self._bars.stop()

    def advance(self, stage: str, *, documents: int = 0, bytes: int = 0, expected: int | None = None) -> None:  # noqa: A002 - the word for it
        """Add to a stage's bar."""
        self.stage = stage
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(STAGES.get(stage, stage), total=expected, size=0)
        task = self._bars.tasks[self._tasks[stage]]
        self._bars.update(
            task.id,
            advance=documents,
            size=task.fields["size"] + bytes,
            total=expected if expected is not None else task.total,
        )


class _Documents(rich.progress.ProgressColumn):
    @override
    def render(self, task: rich.progress.Task) -> Text:
        done, total = int(task.completed), task.total
        known = f"{min(done, int(total)):,}/{int(total):,}" if total is not None else f"{done:,}"
        return Text(f"{known} documents", style="progress.download", justify="right")


class _Bytes(rich.progress.ProgressColumn):
    @override
    def render(self, task: rich.progress.Task) -> Text:
        return Text(
            size(task.fields["size"]) if task.fields["size"] else "", style="progress.filesize", justify="right"
        )


class _Rate(rich.progress.ProgressColumn):
    @override
    def render(self, task: rich.progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed", justify="right")


class _TimeLeft(rich.progress.ProgressColumn):
    @override
    def render(self, task: rich.progress.Task) -> Text:
        if task.finished:
            return Text(duration(timedelta(seconds=task.finished_time or 0)), style="progress.elapsed")
        left = time_left(task.elapsed or 0.0, task.completed, task.total)
        return Text(f"{duration(left)} left" if left is not None else "", style="progress.remaining")


def time_left(elapsed: float, done: float, expected: float | None) -> timedelta | None:
    """Return how long a stage will still take at the rate it had, or None as long as that would be a guess.

    `elapsed` is in seconds, `done` and `expected` in documents.
    """
    if not expected or elapsed < _EARLIEST_ESTIMATE or done < expected * _SMALLEST_SHARE:
        return None
    return timedelta(seconds=max(0.0, expected - done) * elapsed / done)


@dataclass(slots=True)
class _Stage:
    began: float
    last_line: float
    documents: int = 0
    bytes: int = 0
    expected: int | None = None


class Lines:
    """A line every few seconds for a stage under way, and one for each stage that has ended.

    `tell` is given each line's facts; without it the line is written for a person.
    """

    def __init__(
        self,
        console: Console,
        subject: str,
        *,
        now: Callable[[], float] = time.monotonic,
        tell: Callable[[dict[str, object]], None] | None = None,
    ) -> None:
        self.stage = ""
        self._console = console
        self._tell = tell
        self._subject = subject
        self._now = now
        self._stages: dict[str, _Stage] = {}

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the last stage's line."""
        self._close()

    def advance(self, stage: str, *, documents: int = 0, bytes: int = 0, expected: int | None = None) -> None:  # noqa: A002 - the word for it
        """Add to a stage."""
        now = self._now()
        if stage != self.stage:
            self._close()
            self.stage = stage
            self._stages.setdefault(stage, _Stage(began=now, last_line=now))
        known = self._stages[stage]
        known.documents += documents
        known.bytes += bytes
        known.expected = known.expected if expected is None else expected
        if now - known.last_line >= SECONDS_BETWEEN_LINES:
            known.last_line = now
            self._write(known, now - known.began, ended=False)

    def _close(self) -> None:
        if self.stage:
            known = self._stages[self.stage]
            self._write(known, self._now() - known.began, ended=True)

    def _write(self, known: _Stage, seconds: float, *, ended: bool) -> None:
        if self._tell is not None:
            self._tell(
                {
                    "subject": self._subject,
                    "stage": self.stage,
                    "ended": ended,
                    "documents": known.documents,
                    "expected": known.expected,
                    "bytes": known.bytes,
                    "seconds": round(seconds, 3),
                }
            )
            return
        text = _ended(known, seconds) if ended else _under_way(known, seconds)
        self._console.print(f"{self._subject} {STAGES.get(self.stage, self.stage)}: {text}", soft_wrap=True)


def _documents(stage: _Stage) -> str:
    if stage.expected is None or stage.documents >= stage.expected:
        return count(stage.documents if stage.expected is None else stage.expected, "document")
    return f"{stage.documents:,} of {count(stage.expected, 'document')}"


def _ended(stage: _Stage, seconds: float) -> str:
    parts = [_documents(stage), *([size(stage.bytes)] if stage.bytes else [])]
    return f"{', '.join(parts)} in {duration(timedelta(seconds=seconds))}"


def _under_way(stage: _Stage, seconds: float) -> str:
    rate = stage.documents / seconds
    parts = [_documents(stage)]
    if stage.bytes:
        parts.append(size(stage.bytes))
    if rate:
        parts.append(f"{rate:,.0f}/s")
    left = time_left(seconds, stage.documents, stage.expected)
    if left is not None:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)
