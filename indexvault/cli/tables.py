"""Tables as wide as the terminal: what names or decides something stays whole, and nothing is left out.

Where the columns don't fit side by side, each row becomes a record: its names and decisions on a line of their own,
then its other cells with their headings. Where the output is no terminal, each row is one line, however long.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from indexvault.printable import printable_line

type Cell = str | Text

_GAP = "  "
_NARROWEST_PROSE = 24
"""Columns of a terminal below which prose beside other columns can't be read."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `names` marks what identifies the row or what was decided on it, `prose` what may go on below itself.

    Only the last column may be prose.
    """

    heading: str
    right: bool = False
    names: bool = False
    prose: bool = False


class Table:
    """Rows under their headings, to be printed; without `headings` only the rows."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[Cell]],
        *,
        title: str | None = None,
        headings: bool = True,
    ) -> None:
        self._columns = columns
        self._rows = [[_in_one_line(cell) for cell in row] for row in rows]
        self._title = title
        self._headings = headings

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines. None is cut: a name that is longer than the terminal is wide goes on in its next line."""
        if self._title is not None:
            yield from (_line(Text(line, "italic")) for line in _wrapped(self._title, _room(options)))
        widths = self._widths()
        if not options.is_terminal:
            yield from self._table(widths)
        elif (room := self._room_for_prose(widths, options.max_width)) is not None:
            yield from self._table(widths, room)
        else:
            for row in self._rows:
                yield from self._record(row, options.max_width)

    def _widths(self) -> list[int]:
        headings = [column.heading if self._headings else "" for column in self._columns]
        cells = zip(*self._rows, strict=True) if self._rows else ((),) * len(headings)
        return [
            max(map(cell_len, (heading, *(cell.plain for cell in column))))
            for heading, column in zip(headings, cells, strict=True)
        ]

    def _room_for_prose(self, widths: Sequence[int], width: int) -> int | None:
        """Return the width of the last column beside the others, or None where they don't fit side by side."""
        room = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
        last = self._columns[-1]
        least = max(_NARROWEST_PROSE, cell_len(last.heading) if self._headings else 0)
        return room if room >= (min(widths[-1], least) if last.prose else widths[-1]) else None

    def _table(self, widths: Sequence[int], room: int | None = None) -> Iterator[Text]:
        if self._headings:
            yield self._row([Text(column.heading) for column in self._columns], widths, style="bold")
        indent = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
        for row in self._rows:
            if room is None or not self._columns[-1].prose:
                yield self._row(row, widths)
                continue
            first, *rest = _wrapped(row[-1].plain, room)
            yield self._row([*row[:-1], Text(first, row[-1].style)], widths)
            yield from (_line(Text(" " * indent), Text(line, row[-1].style)) for line in rest)

    def _row(self, cells: Sequence[Text], widths: Sequence[int], style: str = "") -> Text:
        parts: list[Text] = []
        for column, cell, width in zip(self._columns, cells, widths, strict=True):
            blanks = " " * (width - cell_len(cell.plain))
            is_last = column is self._columns[-1]
            parts += [Text(blanks), cell] if column.right else [cell, Text("" if is_last else blanks)]
            parts.append(Text("" if is_last else _GAP))
        row = _line(*parts)
        row.stylize(style)
        return row

    def _record(self, row: Sequence[Text], width: int) -> Iterator[Text]:
        """Yield a row as a record."""
        pairs = list(zip(self._columns, row, strict=True))
        yield _line(*_joined([cell for column, cell in pairs if column.names and cell.plain]))
        others = [(column, cell) for column, cell in pairs if not column.names and not column.prose and cell.plain]
        figures = [_said(column, cell) for column, cell in others]
        room = max(1, width - len(_GAP))
        yield from (_line(Text(f"{_GAP}{line}")) for line in _wrapped(", ".join(figures), room) if line)
        for column, cell in pairs:
            if column.prose and not column.names and cell.plain:
                for line in _wrapped(_said(column, cell), room):
                    yield _line(Text(_GAP), Text(line, cell.style))


class Details:
    """What is known of one thing: a label and a text in each row."""

    def __init__(self) -> None:
        self._rows: list[tuple[Text, Cell]] = []

    def add_row(self, label: str, text: Cell) -> None:
        """Add a row. Rows that follow with an empty label continue it."""
        self._rows.append((Text(label, "bold"), text))

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        yield Table([Column("", names=True), Column("", prose=True)], self._rows, headings=False)


def _said(column: Column, cell: Text) -> str:
    """Return a cell with its heading: `documents 1,200`."""
    return f"{column.heading} {cell.plain}".strip()


def _in_one_line(cell: Cell) -> Text:
    text = cell if isinstance(cell, Text) else Text(cell)
    return Text(printable_line(text.plain), text.style)


def _joined(cells: Sequence[Text]) -> list[Text]:
    parts: list[Text] = []
    for cell in cells:
        parts += [Text(_GAP), cell] if parts else [cell]
    return parts


def _line(*parts: Text) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ignore")


def _room(options: ConsoleOptions) -> int | None:
    return options.max_width if options.is_terminal else None


def _wrapped(text: str, width: int | None) -> list[str]:
    """Return a text in lines of at most so many columns, at least one line; a longer word has a line of its own."""
    if width is None:
        return [text]
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
