"""One command, from what was asked to the exit code."""

import argparse
import asyncio
import importlib
import logging
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO

from cli.arguments import request_of
from cli.configuration import load_settings
from cli.exit_codes import CANCELLED, FAILED
from cli.logs import configure_logs
from cli.output import Output
from cli.requests import Request
from cli.session import Session
from errors import CancelledError, IndexvaultError

_LOG = logging.getLogger(__name__)


def run(given: argparse.Namespace, environment: Mapping[str, str], *, stdout: TextIO, stderr: TextIO) -> int:
    """Do what was asked and give the exit code; what goes wrong becomes one line, and a code."""
    output = Output(as_json=given.json, stdout=stdout, stderr=stderr)
    configure_logs(given.log_level, output.notes, as_json=given.json)
    try:
        request = request_of(given)
        session = Session(
            settings=load_settings(environment),
            environment=environment,
            output=output,
            clock=lambda: datetime.now(UTC),
            chance=random.SystemRandom(),
        )
        return asyncio.run(_answer(given.verb, session, request))
    except BrokenPipeError:
        # Whoever read the output has gone; without this the interpreter would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return FAILED
    except IndexvaultError as error:
        return output.error(error)
    except KeyboardInterrupt:
        return output.error(_stopped(given.verb))
    except Exception as error:  # noqa: BLE001 - the last line before the operator, who is not to see a traceback
        _LOG.debug("unexpected", exc_info=True)
        return output.error(
            IndexvaultError(
                f"unexpected {type(error).__name__}",
                on=f"indexvault {given.verb}",
                do="Run again with --log-level debug and report what it prints",
            )
        )


async def _answer(verb: str, session: Session, request: Request) -> int:
    _stop_on_signals()
    # Each verb loads the libraries that it needs, and no other.
    run_verb: Callable[[Session, Request], Awaitable[int]] = importlib.import_module(f"cli.verbs.{verb}").run
    try:
        return await run_verb(session, request)
    except asyncio.CancelledError:
        raise _stopped(verb) from None


def _stop_on_signals() -> None:
    """Let the first signal cancel what runs, so that it ends in order; a second one ends the process there and then."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine always runs in a task
    received: list[int] = []

    def stop(number: int) -> None:
        if received:
            os._exit(CANCELLED)
        received.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)


def _stopped(verb: str) -> CancelledError:
    return CancelledError("it was stopped", on=f"indexvault {verb}", do="Run it again when it suits")
