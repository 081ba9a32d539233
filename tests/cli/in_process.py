"""A command run in the tests' own process: what `python -m indexvault` runs, without the start of an interpreter."""

import contextvars
import faulthandler
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import IO

from indexvault.cli.main import main

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_in_process(
    arguments: Sequence[str], environment: Mapping[str, str], *, folder: Path, longest: float
) -> tuple[int, str, str]:
    """Run a command and return its exit code and what has been written to stdout and to stderr.

    The command sees the given environment and working folder, files for its streams, and no input. What it changes in
    this process is undone: environment, folder, streams, logging, signal handlers and context variables. A command
    that takes more than `longest` seconds ends the tests' process, which pytest reports with the test's name.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with ExitStack() as stack, os.fdopen(os.dup(2), "wb") as seen:
            for state in (
                _same_signals(),
                _same_logging(),
                _environment(environment),
                chdir(folder),
                _streams(out, err),
            ):
                stack.enter_context(state)
            faulthandler.dump_traceback_later(longest, exit=True, file=seen)
            stack.callback(faulthandler.cancel_dump_traceback_later)
            code = contextvars.copy_context().run(_exit_code, arguments)
        return code, _text(out), _text(err)


def _exit_code(arguments: Sequence[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # argparse ends the process for --help and for usage errors
        return end.code if isinstance(end.code, int) else 1


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        _set_environment(variables)
        yield
    finally:
        _set_environment(before)


def _set_environment(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


@contextmanager
def _streams(out: IO[bytes], err: IO[bytes]) -> Iterator[None]:
    """Put files in place of the streams and of their file numbers, to which libraries in C write."""
    names = ("stdin", "stdout", "stderr")
    before = {name: getattr(sys, name) for name in names}
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(number) for number in range(3)]
    try:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - not a path, a device
            for number, file in enumerate((nothing, out, err)):
                os.dup2(file.fileno(), number)
        with (
            open(0, encoding="utf-8", closefd=False) as sys.stdin,
            open(1, "w", encoding="utf-8", closefd=False) as sys.stdout,
            # A process writes each line of it at once.
            open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False) as sys.stderr,
        ):
            yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
        for number, copy in enumerate(kept):
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _same_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers
    levels = {logger: logger.level for logger in _loggers()}
    try:
        yield
    finally:
        root.handlers = handlers
        for logger in _loggers():
            logger.setLevel(levels.get(logger, logging.NOTSET))


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    return [root, *(each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger))]


@contextmanager
def _same_signals() -> Iterator[None]:
    changeable = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _SIGNALS if changeable}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
