"""`Command`: what the command line needs from a verb's module."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the table of verbs imports this module, and --help must not load what a verb works with
    from indexvault.cli.remote.session import RemoteSession
    from indexvault.cli.session import BareSession, Session


def _no_arguments(_parser: ArgumentParser) -> None:
    """Add nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command[Request]:
    """A verb: its arguments, the request they make, and how that is carried out.

    `read_request` raises SettingsError for names that can't be one. `run` does the work in this process,
    `run_remotely` lets a deployment do it (--url), `run_without_settings` reads none before it starts, and knows no
    deployment; each returns the exit code. None where the verb has no such run.
    """

    description: str
    add_arguments: Callable[[ArgumentParser], None] = _no_arguments
    read_request: Callable[[Namespace], Request]
    run: "Callable[[Session, Request], Coroutine[Any, Any, int]] | None" = None
    run_without_settings: "Callable[[BareSession, Request], Coroutine[Any, Any, int]] | None" = None
    run_remotely: "Callable[[RemoteSession, Request], Coroutine[Any, Any, int]] | None" = None
