"""Ask an operator before something is removed."""

import asyncio
import contextlib
import os
import threading
from typing import Literal, TextIO

from indexvault.cli.output import Output
from indexvault.errors import CancelledError, SettingsError

_MOST_BYTES = 4096
type Does = Literal["remove", "overwrite", "change"]
_DONE = {"remove": "removed", "overwrite": "overwritten", "change": "changed"}


def require_answerable(output: Output, verb: str, *, does: Does = "remove") -> None:
    """Raise SettingsError if nobody can be asked: a command that removes something never takes silence for a yes."""
    if not output.can_ask:
        raise SettingsError(
            f"it asks before it {does}s anything, and there is no terminal to ask on",
            on=f"indexvault {verb}",
            do=f"Add --yes, or --dry-run to see what would be {_DONE[does]}",
        )


async def confirm(output: Output, question: str, verb: str, *, does: Does = "remove") -> None:
    """Ask a question on the terminal. Raises CancelledError unless the answer is yes.

    `does` is what a yes leads to: `remove`, `overwrite` or `change`.
    """
    output.ask(question)
    assert output.answers is not None  # noqa: S101 - `require_answerable` came first
    answer = await _line(output.answers)
    if answer.strip().lower() not in {"y", "yes"}:
        raise CancelledError(
            f"not confirmed: nothing was {_DONE[does]}", on=f"indexvault {verb}", do=f"Answer y to {does} it"
        )


async def answer(output: Output, question: str, verb: str, *, default: str = "") -> str:
    """Ask for a text on the terminal, and return it; `default` if nothing is typed.

    Raises CancelledError at the end of the input.
    """
    output.ask(question, default)
    assert output.answers is not None  # noqa: S101 - the caller has seen that there is a terminal
    typed = await _line(output.answers)
    if not typed:
        raise CancelledError("the input ended", on=f"indexvault {verb}", do="Answer, or give the options instead")
    return typed.strip() or default


async def _line(stream: TextIO) -> str:
    """Return what is typed next; empty at the end of the input.

    The thread that waits for it must not keep the process, nor hold the stream's lock, when Ctrl-C ends the question.
    """
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[bytes] = loop.create_future()

    def end(data: bytes) -> None:
        if not typed.done():
            typed.set_result(data)

    def read() -> None:
        try:
            data = os.read(stream.fileno(), _MOST_BYTES)
        except OSError:
            data = b""
        with contextlib.suppress(RuntimeError):  # the loop is closed if the question was cancelled meanwhile
            loop.call_soon_threadsafe(end, data)

    threading.Thread(target=read, daemon=True).start()
    return (await typed).decode(errors="replace")
