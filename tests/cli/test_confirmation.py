"""Something is removed only after a yes, and silence is none."""

import asyncio
import io
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from indexvault.cli.confirmation import confirm, require_answerable
from indexvault.cli.output import Output
from indexvault.errors import CancelledError, SettingsError


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def keyboard() -> Iterator[tuple[int, TextIO]]:
    """A terminal's two ends: what is typed, and what the command reads."""
    typed, read = os.openpty()
    with os.fdopen(typed, "wb", buffering=0), os.fdopen(read, encoding="utf-8") as stream:
        yield typed, stream


def output(stdin: TextIO | None, stderr: TextIO, *, as_json: bool = False) -> Output:
    return Output(as_json=as_json, stdout=io.StringIO(), stderr=stderr, stdin=stdin)


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
async def test_a_yes_is_a_yes(keyboard: tuple[int, TextIO], answer: str) -> None:
    typed, stream = keyboard
    screen = Screen()
    os.write(typed, answer.encode())
    await confirm(output(stream, screen), "Remove 2 snapshots?", "prune")
    assert "Remove 2 snapshots? [y/N]" in screen.getvalue()


@pytest.mark.parametrize("answer", ["\n", "n\n", "yeah\n", "\x04"])
async def test_anything_else_removes_nothing(keyboard: tuple[int, TextIO], answer: str) -> None:
    typed, stream = keyboard
    os.write(typed, answer.encode())
    with pytest.raises(CancelledError, match="nothing was removed"):
        await confirm(output(stream, Screen()), "Remove it?", "prune")


async def test_a_question_can_be_cancelled(keyboard: tuple[int, TextIO]) -> None:
    asking = asyncio.ensure_future(confirm(output(keyboard[1], Screen()), "Remove it?", "prune"))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    os.write(keyboard[0], b"\n")


def test_where_nobody_can_be_asked_yes_is_needed(keyboard: tuple[int, TextIO]) -> None:
    _typed, stream = keyboard
    require_answerable(output(stream, Screen()), "prune")
    for deaf in (
        output(None, Screen()),
        output(io.StringIO("y\n"), Screen()),
        output(stream, io.StringIO()),
        output(stream, Screen(), as_json=True),
    ):
        with pytest.raises(SettingsError, match="--yes"):
            require_answerable(deaf, "prune")
