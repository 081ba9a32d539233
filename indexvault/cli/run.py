"""One command, from its parsed arguments to the exit code."""

import argparse
import asyncio
import logging
import os
import random
import signal
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import CANCELLED, FAILED
from indexvault.cli.logs import configure_logs
from indexvault.cli.output import Output
from indexvault.cli.verbs import load_command
from indexvault.errors import CancelledError, IndexvaultError, SettingsError

if TYPE_CHECKING:  # loads what --help does without
    from indexvault.settings.model import Settings

URL_VARIABLE = "INDEXVAULT_URL"
"""Holds the address of a deployment, as --url does; `--url ''` runs a verb here all the same."""

_LOG = logging.getLogger(__name__)


def run(
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    *,
    stdout: TextIO,
    stderr: TextIO,
    stdin: TextIO | None = None,
) -> int:
    """Run a command and return its exit code; an error becomes one line on stderr, and a code."""
    output = Output(as_json=arguments.json, quiet=arguments.quiet, stdout=stdout, stderr=stderr, stdin=stdin)
    level = "error" if arguments.quiet and arguments.log_level == "warning" else arguments.log_level
    configure_logs(level, output.notes, as_json=arguments.json)
    try:
        output.starting(f"{arguments.verb}: starting")
        command = load_command(arguments.verb)
        request = command.read_request(arguments)
        if arguments.url is None:
            arguments.url = environment.get(URL_VARIABLE, "").strip()
        here = command.run_without_settings is not None or not arguments.url
        start = _run_here if here else _run_remotely
        return asyncio.run(_until_stopped(arguments.verb, start(arguments, command, request, environment, output)))
    except BrokenPipeError:
        # The reader has closed the pipe; without this the interpreter would report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return FAILED
    except IndexvaultError as error:
        return output.error(error)
    except KeyboardInterrupt:
        return output.error(_stopped(arguments.verb))
    except Exception as error:  # noqa: BLE001 - operators get an error line, never a traceback
        _LOG.debug("unexpected", exc_info=True)
        return output.error(
            IndexvaultError(
                f"unexpected {type(error).__name__}",
                on=f"indexvault {arguments.verb}",
                do="Run again with --log-level debug and report what it prints",
            )
        )
    finally:
        output.started()


def _run_here(
    arguments: argparse.Namespace, command: Command[Any], request: Any, environment: Mapping[str, str], output: Output
) -> Coroutine[Any, Any, int]:
    """Return the run of a verb in this process, with the settings that the environment names."""
    from indexvault.cli.session import BareSession  # noqa: PLC0415 - not needed with a deployment

    session = BareSession(
        environment=environment,
        config=arguments.config,
        folder=Path.cwd(),
        output=output,
        clock=_now,
        rng=random.SystemRandom(),
    )
    if command.run_without_settings is not None:
        return command.run_without_settings(session, request)
    if arguments.function_key is not None:
        raise SettingsError("a function key needs a deployment, and none is named", on="--key", do="Name it with --url")
    run = command.run
    if run is None:
        raise SettingsError("only a deployment has runs", on=f"indexvault {arguments.verb}", do="Name one with --url")
    return _naming_variables(session.load_settings(), lambda settings: run(session.with_settings(settings), request))


async def _naming_variables(settings: "Settings", run: "Callable[[Settings], Coroutine[Any, Any, int]]") -> int:
    """Run a verb; a refusal of a service's key names the variable that holds the key."""
    from indexvault.settings.secrets import naming_the_variable  # noqa: PLC0415 - not needed with a deployment

    try:
        return await run(settings)
    except IndexvaultError as error:
        named = naming_the_variable(error, settings)
        if named is error:
            raise
        raise named from None


def _run_remotely(
    arguments: argparse.Namespace, command: Command[Any], request: Any, environment: Mapping[str, str], output: Output
) -> Coroutine[Any, Any, int]:
    """Return the run of a verb by a deployment. No settings are read."""
    from indexvault.cli.remote.address import address_of  # noqa: PLC0415 - not needed without a deployment
    from indexvault.cli.remote.run import run_on_deployment  # noqa: PLC0415 - the same

    address = address_of(arguments.url, arguments.function_key, environment)
    return run_on_deployment(
        arguments.verb, command, request, address, output=output, clock=_now, rng=random.SystemRandom()
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def _until_stopped(verb: str, work: Coroutine[Any, Any, int]) -> int:
    _stop_on_signals()
    try:
        return await work
    except asyncio.CancelledError:
        raise _stopped(verb) from None


def _stop_on_signals() -> None:
    """Let the first signal cancel the work, so that it ends in order; a second one ends the process at once.

    Python delivers signals to the main thread only: a command on another thread doesn't get any.
    """
    if threading.current_thread() is not threading.main_thread():
        return
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
    return CancelledError("interrupted", on=f"indexvault {verb}", do="Run it again")
