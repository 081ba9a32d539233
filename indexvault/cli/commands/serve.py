"""`indexvault serve`: the status page on this machine, with the embedded engine behind it."""

import asyncio
import tempfile
import webbrowser
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.runs import RunPath, cancel_run
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.local_runs import LocalRuns, open_local_runs
from indexvault.cli.local_site import ADDRESS, LocalHost, LocalSite
from indexvault.cli.output import Output
from indexvault.cli.session import Session
from indexvault.errors import IndexvaultError, SettingsError

_MOST_PORTS = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """Serve the page on a port, 0 for any that is free, and open it in a browser if asked to."""

    port: int
    open: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--port", metavar="N", type=_port, default=0, help="the port (default: any that is free)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def read_request(arguments: Namespace) -> ServeRequest:
    """Return what the arguments ask for."""
    return ServeRequest(port=arguments.port, open=arguments.open)


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= _MOST_PORTS:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is no port from 0 to {_MOST_PORTS}")


async def run(session: Session, request: ServeRequest) -> int:
    """Serve until interrupted; restores that were started here and are still at work are cancelled then."""
    async with session.clients() as clients:
        resources = session.resources(clients)
        async with open_local_runs(resources) as runs:
            host = LocalHost(resources, session.environment)
            try:
                async with LocalSite(host, runs, port=request.port) as site:
                    with _shown(session.output, site, open_it=request.open):
                        await asyncio.Event().wait()
            except asyncio.CancelledError:
                await _cancel(session.output, host, runs)
            except OSError as error:
                raise SettingsError(
                    f"it can't be listened on: {error.strerror or error}", on=f"port {request.port}", do="Take another"
                ) from None
    return DONE


@contextmanager
def _shown(output: Output, site: LocalSite, *, open_it: bool) -> Iterator[None]:
    """Tell the address of the page, and open it in a browser if asked to."""
    output.result(
        "serving",
        {"url": site.url_with_token},
        "The status page is at",
        f"  {site.url_with_token}",
        f"for whoever has this address, on this machine only ({ADDRESS}). Ctrl-C ends it.",
    )
    if not open_it:
        yield
        return
    with opened(site.url_with_token, webbrowser.open) as is_open:
        if not is_open:
            output.note("no browser could be opened: open the address yourself")
        yield


@contextmanager
def opened(url: str, browse: Callable[[str], bool]) -> Iterator[bool]:
    """Open an address, and yield whether that worked.

    A file that only this user can read leads to it: others see the arguments of a browser, and the token in them.
    """
    with tempfile.TemporaryDirectory(prefix="indexvault-serve-") as folder:
        path = Path(folder) / "open.html"
        path.write_text(f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={escape(url)}">', encoding="utf-8")
        yield browse(path.as_uri())


async def _cancel(output: Output, host: LocalHost, runs: LocalRuns) -> None:
    for name in runs.started:
        try:
            await cancel_run(Call(body=None, query=Nothing(), path=RunPath(name), host=host, engine=runs))
        except IndexvaultError:
            continue  # it had ended
        output.note(f"run {name} was at work and is cancelled: `indexvault restore --resume` can go on with it")


COMMAND = Command(
    description="Show the status page on this machine, until Ctrl-C.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
