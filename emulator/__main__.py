"""`python -m emulator`: run emulated services until interrupted, and print how to reach them."""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from emulator.access import permissions_of
from emulator.faults import Plan
from emulator.server import Running, running
from emulator.service import EmulatedService
from emulator.tiers import TIERS

_DEFAULT_SERVICES = ("contoso-east:standard:eastus", "contoso-west:basic:westus2")
_DEFAULT_PORT = 8800
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_PIPE_WIDTH = 160


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Control-C."""
    parser = _parser()
    options = parser.parse_args(arguments)
    services = [_with_options(service, options) for service in options.service or map(_service, _DEFAULT_SERVICES)]
    if len({service.name for service in services}) < len(services):
        parser.error("argument --service: each service needs a name of its own")
    try:
        asyncio.run(_serve(services, options.storage, options.port))
    except KeyboardInterrupt:
        return 130
    except OSError as problem:
        Console(stderr=True).print(f"The emulator can't start: {problem}")
        return 1
    return 0


async def _serve(services: Sequence[EmulatedService], storage: Path | None, port: int) -> None:
    async with running(services, storage=storage, port=port) as emulator:
        console = Console()
        if not console.is_terminal:
            console = Console(width=_PIPE_WIDTH)
        console.print(_table(emulator))
        sys.stdout.flush()
        await asyncio.Event().wait()


def _table(emulator: Running) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for heading in ("service", "tier", "region", "endpoint", "admin key", "query key"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "endpoint")  # never shorten an address
    for name in emulator.names:
        setup = emulator.setup(name)
        table.add_row(name, setup.tier, setup.region, emulator.endpoint(name), setup.api_key, setup.query_key)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator", description="A local Azure AI Search for development.")
    parser.add_argument(
        "--service",
        action="append",
        type=_service,
        metavar="NAME:TIER:REGION",
        help=f"a service to run, repeatable; default {' and '.join(_DEFAULT_SERVICES)}; tiers: {', '.join(TIERS)}",
    )
    parser.add_argument("--storage", type=Path, metavar="FOLDER", help="keep everything in this folder between runs")
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="port of the first service; the others follow")
    parser.add_argument("--api-key", default="admin-key", help="the admin key of every service")
    parser.add_argument("--query-key", default="query-key", help="the query key of every service, which may only read")
    parser.add_argument(
        "--role-key",
        action="append",
        default=[],
        type=_role_key,
        metavar="KEY=ROLE[+ROLE]",
        help="a key or bearer token that may do what these roles may; repeatable",
    )
    parser.add_argument("--replicas", type=int, default=1, help="replicas of every service, each ordering ties its way")
    parser.add_argument("--faults", type=_faults, default=Plan(), metavar="JSON", help="fault rules, or @FILE")
    return parser


def _service(text: str) -> EmulatedService:
    name, _, rest = text.partition(":")
    tier, _, region = rest.partition(":")
    tier = tier or "standard"
    if not _NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{name!r} is no name: it takes lower-case letters, digits and dashes")
    if tier not in TIERS:
        raise argparse.ArgumentTypeError(f"unknown tier {tier!r}; known: {', '.join(TIERS)}")
    return EmulatedService(name=name, tier=tier, region=region or "local")


def _role_key(text: str) -> tuple[str, str]:
    key, _, roles = text.partition("=")
    try:
        permissions_of(roles)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    return key, roles


def _faults(text: str) -> Plan:
    try:
        source = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
        return msgspec.json.decode(source, type=Plan)
    except (OSError, msgspec.DecodeError) as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _with_options(service: EmulatedService, options: argparse.Namespace) -> EmulatedService:
    return msgspec.structs.replace(
        service,
        api_key=options.api_key,
        query_key=options.query_key,
        role_keys=dict(options.role_key),
        replicas=options.replicas,
        faults=options.faults,
    )


if __name__ == "__main__":
    sys.exit(main())
