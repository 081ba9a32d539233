"""`indexvault check`: whether everything is reachable, and whether the roles suffice."""

from argparse import Namespace
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.backup.changes.check import check_fields
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import one_line
from indexvault.cli.output import Output
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.maintenance.check import CheckFinding, CheckReport, check_everything


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Try every service and store."""


def read_request(_arguments: Namespace) -> CheckRequest:
    """Return what the arguments ask for."""
    return CheckRequest()


async def run(session: Session, _request: CheckRequest) -> int:
    """Check every store and service, whatever fails, and return the worst exit code."""
    async with session.clients(retry=FIRST_CONTACT) as clients:
        report = await check_everything(
            clients, session.environment, run=session.new_run("check"), clock=session.clock
        )  # fmt: skip
        report = await check_fields(clients, report, session.clock)
    return print_report(session.output, report)


async def run_remotely(session: RemoteSession, _request: CheckRequest) -> int:
    """Have a deployment check its stores and services, and return the worst exit code."""
    return print_report(session.output, await session.deployment.post("checks", {}, CheckReport))


def print_report(output: Output, report: CheckReport) -> int:
    """Print every finding, and return the worst exit code."""
    for target in report.targets:
        for finding in target.findings:
            output.result("check", msgspec.to_builtins(finding), _line(finding))
    code = worst(target.exit_code for target in report.targets)
    _settings, *others = report.targets
    if code == DONE:
        output.show(Text("all checks passed", style="green"))
    else:
        failed = sum(target.exit_code != DONE for target in others)
        output.show(Text(f"{failed} of {len(others)} stores and services can't be used as they are", style="red"))
    return code


def _line(finding: CheckFinding) -> Text:
    verdict = ("ok    ", "green") if finding.ok else ("failed", "red")
    if finding.warning:
        verdict = ("warn  ", "yellow")
    line = Text.assemble(verdict, f"  {finding.target}: {finding.check}: {one_line(finding.detail)}")
    if finding.hint:
        line.append(f". {one_line(finding.hint)}")
    return line


COMMAND = Command(
    description="Check that every service and store of the settings is reachable and that the roles suffice for a"
    " backup. Writes only one small blob to the runs container and removes it; whether a restore would be allowed is"
    " tested with requests that can't change anything. Of the indexes of policies it says which fields would do for"
    " `changes`, and why others don't.",
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
