"""`indexvault serve`: the status page on this machine, with the embedded engine behind it."""

import asyncio
import dataclasses
import tempfile
import webbrowser
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from durabletask.client import AsyncTaskHubGrpcClient

from indexvault.api.endpoint import Call, Nothing
from indexvault.api.runs import RunPath, cancel_run
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.local_site import ADDRESS, LocalHost, LocalSite
from indexvault.cli.output import Output
from indexvault.cli.session import Session
from indexvault.errors import IndexvaultError, SettingsError
from indexvault.restore.run import ACTIVITIES as RUN_ACTIVITIES
from indexvault.restore.run import RUN_RESTORE
from indexvault.restore.workflow import ACTIVITIES, RESTORE_INDEX
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.progress import reported

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
        every: list[Activity[Any, Any]] = [*ACTIVITIES, *RUN_ACTIVITIES]
        activities = [_reporting(activity) for activity in dict.fromkeys(every)]
        async with LocalEngine(resources, activities, [RESTORE_INDEX, RUN_RESTORE]) as opened:
            client = AsyncTaskHubGrpcClient(host_address=opened.address, emit_trace_spans=False)
            engine = _Engine(client)
            host = LocalHost(resources, session.environment)
            try:
                async with LocalSite(host, engine, port=request.port) as site:
                    _tell(session.output, site, request)
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                await _cancel(session.output, host, engine)
            except OSError as error:
                raise SettingsError(
                    f"it can't be listened on: {error.strerror or error}", on=f"port {request.port}", do="Take another"
                ) from None
            finally:
                await client.close()
    return DONE


class _Engine(DurableEngine):
    """The embedded engine behind the interface of the durable one. It knows which runs were started here."""

    def __init__(self, client: AsyncTaskHubGrpcClient) -> None:
        super().__init__(client)
        self.started: list[str] = []

    async def start(self, workflow: str, order: RunOrder) -> bool:
        self.started.append(order.run)
        return await super().start(workflow, order)


def _reporting(activity: Activity[Any, Any]) -> Activity[Any, Any]:
    """Return an activity that stores its progress, as in Azure, where the page of its run finds it."""

    async def perform(resources: Resources, given: Any) -> Any:
        async with reported(resources, activity, given) as known:
            return await activity.run(known, given)

    return dataclasses.replace(activity, run=perform)


def _tell(output: Output, site: LocalSite, request: ServeRequest) -> None:
    output.result(
        "serving",
        {"url": site.url_with_token},
        "The status page is at",
        f"  {site.url_with_token}",
        f"for whoever has this address, on this machine only ({ADDRESS}). Ctrl-C ends it.",
    )
    if request.open and not _open(site.url_with_token, webbrowser.open):
        output.note("no browser could be opened: open the address yourself")


def _open(url: str, browse: Callable[[str], bool]) -> bool:
    """Open an address by a file that only this user can read: others see a browser's arguments, and the token in it."""
    with tempfile.NamedTemporaryFile("w", prefix="indexvault-", suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={escape(url)}">')
    return browse(Path(file.name).as_uri())


async def _cancel(output: Output, host: LocalHost, engine: _Engine) -> None:
    for name in engine.started:
        call = Call(body=None, query=Nothing(), path=RunPath(name), host=host, engine=engine)
        try:
            await cancel_run(call)
            output.note(f"run {name} was at work and is cancelled: `indexvault restore --resume` can go on with it")
        except IndexvaultError:
            continue  # it had ended


COMMAND = Command(
    description="Show the status page on this machine, until Ctrl-C.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
