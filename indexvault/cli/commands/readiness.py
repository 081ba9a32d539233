"""`indexvault readiness`: what a pair would survive and what not, check by check, each with what to do."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count, one_line
from indexvault.cli.output import Output
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.errors import SettingsError
from indexvault.readiness.gather import read_readiness
from indexvault.readiness.report import PairReadiness, Readiness, ReadinessCheck, ReadinessLevel

_STYLES = {"good": "green", "warning": "yellow", "unknown": "magenta", "bad": "red"}
_WORST: tuple[ReadinessLevel, ...] = ("bad", "unknown", "warning", "good")
_SURVIVED = {"yes": "green", "no": "red", "unknown": "magenta"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessRequest:
    """Check every pair, or one."""

    pair: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("pair", metavar="PAIR", nargs="?", help="only of this pair (default: of every pair)")


def read_request(arguments: Namespace) -> ReadinessRequest:
    """Return what the arguments ask for."""
    return ReadinessRequest(pair=arguments.pair)


async def run(session: Session, request: ReadinessRequest) -> int:
    """Check the pairs; return 1 if something is bad."""
    async with session.clients(retry=FIRST_CONTACT) as clients:
        found = await read_readiness(session.resources(clients), request.pair)
    return _print(session.output, found)


async def run_remotely(session: RemoteSession, request: ReadinessRequest) -> int:
    """Have a deployment check its pairs; return 1 if something is bad."""
    query = {} if request.pair is None else {"pair": request.pair}
    return _print(session.output, await session.deployment.get("readiness", Readiness, query))


def _print(output: Output, found: Readiness) -> int:
    if not found.pairs:
        raise SettingsError(
            "there is no pair, so nothing stands by", on="settings $.pairs", do="Configure one; see docs/pairs.md"
        )
    for pair in found.pairs:
        # What is worst comes first: who looks may be in a hurry.
        for check in sorted(pair.checks, key=lambda each: _WORST.index(each.level)):
            output.result("check", {"pair": pair.pair, **msgspec.to_builtins(check)}, _line(check))
        output.result("pair", {**msgspec.to_builtins(pair), "checks": len(pair.checks)}, *_summary(pair))
    return FAILED if any(pair.level == "bad" for pair in found.pairs) else DONE


def _line(check: ReadinessCheck) -> Text:
    line = Text.assemble(
        (f"{check.level:<8}", _STYLES[check.level]), f" {check.subject}: {check.check}: {one_line(check.what)}"
    )
    if check.level != "good" and check.do:
        line.append(f". {one_line(check.do)}")
    if check.source != "measured":
        line.append(f" [{check.source}]", style="dim")
    return line


def _summary(pair: PairReadiness) -> list[Text]:
    lines = [
        Text.assemble(
            f"{pair.pair} would survive the loss of {each.of}: ",
            (each.survived, _SURVIVED[each.survived]),
            f": {one_line(each.why)}",
        )
        for each in pair.survives
    ]
    levels = [check.level for check in pair.checks]
    said = ", ".join(f"{levels.count(level)} {level}" for level in _WORST)
    other = pair.other or "a service made at failover"
    head = f"{pair.pair} is {pair.mode}: {pair.active} is active, {other} stands by. {count(len(levels), 'check')}: "
    return [*lines, Text(head + said, _STYLES[pair.level])]


COMMAND = Command(
    description="Check what a pair of services would survive: the loss of a replica, of a zone, of its region. Each"
    " check says what is so, what to do, and whether Azure Resource Manager, the settings or a measurement says so."
    " Writes nothing. Ends with 1 if something is bad.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
