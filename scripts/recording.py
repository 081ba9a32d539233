"""`python scripts/recording.py docs/images/recording.svg`: the terminal of the README, recorded from a real run.

The commands run one after the other on a pseudo-terminal, against emulated services and Azurite. What they draw over,
such as bars, is drawn over here too; the picture shows what is left on the screen. tests/docs/test_recording.py sees
that the commands still print it.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.azurite import started
from tests.docs.desk import Desk, open_desk
from tests.docs.world import HAPPENINGS

COLUMNS = 92
STEPS: tuple[tuple[str, str], ...] = (
    ("", "indexvault backup contoso-east hotels"),
    ("somebody deletes the index", ""),
    ("", "indexvault restore contoso-east/hotels@latest --to contoso-east"),
    ("is it the same?", "indexvault diff contoso-east/hotels@latest contoso-east/hotels --exit-code"),
)
"""What is recorded: comments, and commands after a prompt."""
_DELETED = "index deleted"
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_COMMENTS = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_THEME = TerminalTheme(
    (15, 22, 32),
    (228, 234, 241),
    [
        *((15, 22, 32), (240, 113, 120), (126, 211, 140), (240, 200, 110)),
        *((98, 168, 242), (200, 150, 230), (110, 205, 210), (228, 234, 241)),
    ],
    [
        *((128, 140, 155), (255, 140, 140), (150, 230, 160), (250, 215, 130)),
        *((130, 190, 255), (215, 170, 240), (140, 220, 225), (255, 255, 255)),
    ],
)


def record() -> list[str]:
    """Run the steps and return the lines on the screen, with the codes of their colours."""
    lines: list[str] = []
    with started() as azurite, tempfile.TemporaryDirectory() as folder, open_desk(Path(folder), azurite) as desk:
        HAPPENINGS["hotels"](desk)
        for comment, command in STEPS:
            if comment:
                lines.append(f"\x1b[90m# {comment}\x1b[0m")
            if not command:
                HAPPENINGS[_DELETED](desk)
                continue
            lines.append(f"\x1b[1m$ {command}\x1b[0m")
            lines += _on_a_terminal(desk, command)
            lines.append("")
    return lines[:-1]


def _on_a_terminal(desk: Desk, command: str) -> list[str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    variables: Mapping[str, str] = desk.variables | {"TERM": "xterm-256color"}
    process = subprocess.Popen(  # noqa: S603 - our own commands
        [sys.executable, "-m", *command.split()],
        cwd=desk.folder,
        env=variables,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = bytearray()
    try:
        while data := os.read(ours, 65536):
            drawn += data
    except OSError:
        pass  # the process has closed its side
    finally:
        os.close(ours)
    process.wait()
    return screen(drawn.decode())


class Screen:
    """What a terminal shows: rows of characters, each with the codes of its colours."""

    def __init__(self) -> None:
        self._rows: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def control(self, number: str, letter: str) -> None:
        """Do what a control sequence says: move up, clear a row, change the colour. Others do nothing."""
        if letter == "A":
            self._row = max(0, self._row - int(number or 1))
        elif letter == "K":
            self._rows[self._row] = []
        elif letter == "m":
            self._style = "" if number in {"", "0"} else f"{self._style}\x1b[{number}m"

    def put(self, character: str) -> None:
        """Show a character."""
        if character == "\n":
            self._row += 1
            if self._row == len(self._rows):
                self._rows.append([])
        elif character == "\r":
            self._column = 0
        else:
            row = self._rows[self._row]
            row.extend([("", " ")] * (self._column + 1 - len(row)))
            row[self._column] = (self._style, character)
            self._column += 1

    def lines(self) -> list[str]:
        """Return the rows, without empty ones at the end."""
        lines = [_coloured(row).rstrip() for row in self._rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines


def _coloured(row: list[tuple[str, str]]) -> str:
    """Return a row as text, with the codes of a colour around what has that colour."""
    parts = [(style, "".join(text for _style, text in run)) for style, run in groupby(row, key=itemgetter(0))]
    return "".join(f"{style}{text}\x1b[0m" if style else text for style, text in parts)


def screen(drawn: str) -> list[str]:
    """Return the lines that a terminal shows after it was sent this, with the codes of their colours."""
    shown, at = Screen(), 0
    while at < len(drawn):
        control = _CONTROL.match(drawn, at)
        if control:
            shown.control(control[1], control[2])
            at = control.end()
        else:
            shown.put(drawn[at])
            at += 1
    return shown.lines()


def picture(lines: list[str]) -> str:
    """Return lines as an SVG that loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - a device
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=False)
    svg = console.export_svg(title="indexvault", theme=_THEME, unique_id="recording")
    svg = _COMMENTS.sub("", _FONT_FACES.sub("", svg)).replace("Fira Code", "Consolas, Menlo, DejaVu Sans Mono")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(record()), encoding="utf-8")
