"""One command, from what was asked to the exit code."""

import argparse
import asyncio
import importlib
import logging
import os
import random
import signal
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from indexvault.cli.arguments import request_of
from indexvault.cli.deployments import DEPLOYMENT_REQUESTS
from indexvault.cli.exit_codes import CANCELLED, FAILED
from indexvault.cli.logs import configure_logs
from indexvault.cli.output import Output
from indexvault.cli.requests import Request
from indexvault.cli.session import Session
from indexvault.errors import CancelledError, IndexvaultError, SettingsError
from indexvault.settings.load import load_settings

type Verb = Callable[[Session, Request], Coroutine[Any, Any, int]]

_LOG = logging.getLogger(__name__)


def run(given: argparse.Namespace, environment: Mapping[str, str], *, stdout: TextIO, stderr: TextIO) -> int:
    """Do what was asked and give the exit code; what goes wrong becomes one line, and a code."""
    output = Output(as_json=given.json, stdout=stdout, stderr=stderr)
    configure_logs(given.log_level, output.notes, as_json=given.json)
    try:
        request = request_of(given)
        answer = _embedded if given.url is None else _remote
        return asyncio.run(_until_stopped(given.verb, answer(given, request, environment, output)))
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


def _embedded(
    given: argparse.Namespace, request: Request, environment: Mapping[str, str], output: Output
) -> Coroutine[Any, Any, int]:
    """Return the verb as this process does it, with the settings that the environment names."""
    if given.function_key is not None:
        raise SettingsError("a key is for a deployment, and none is named", on="--key", do="Name it by --url")
    if given.verb in DEPLOYMENT_REQUESTS:
        raise SettingsError("only a deployment has runs", on=f"indexvault {given.verb}", do="Name one by --url")
    session = Session(
        settings=load_settings(environment),
        environment=environment,
        output=output,
        clock=_now,
        rng=random.SystemRandom(),
    )
    # Each verb loads the libraries that it needs, and no other.
    run_verb: Verb = importlib.import_module(f"indexvault.cli.commands.{given.verb}").run
    return run_verb(session, request)


def _remote(
    given: argparse.Namespace, request: Request, environment: Mapping[str, str], output: Output
) -> Coroutine[Any, Any, int]:
    """Return the verb as a deployment does it. No settings are read."""
    from indexvault.cli.remote.address import address_of  # noqa: PLC0415 - not needed without a deployment
    from indexvault.cli.remote.verbs import answer  # noqa: PLC0415 - the same

    address = address_of(given.url, given.function_key, environment)
    return answer(given.verb, request, address, output=output, clock=_now, rng=random.SystemRandom())


def _now() -> datetime:
    return datetime.now(UTC)


async def _until_stopped(verb: str, work: Coroutine[Any, Any, int]) -> int:
    _stop_on_signals()
    try:
        return await work
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
