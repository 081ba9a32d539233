"""`indexvault policies explain`: when policies ran and run next, and what they keep."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.api.policies import PolicyList
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, duration, instant
from indexvault.cli.output import Output
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.status.explanations import PolicyExplained, RunExplained, explain_policies


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesRequest:
    """Explain every policy, or one."""

    policy: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", metavar="explain", choices=("explain",), help="tell runs, and what is kept, and why")
    parser.add_argument("policy", metavar="POLICY", nargs="?", help="only this policy of the settings (default: all)")


def read_request(arguments: Namespace) -> PoliciesRequest:
    """Return what the arguments ask for."""
    return PoliciesRequest(policy=arguments.policy)


async def run(session: Session, request: PoliciesRequest) -> int:
    """Explain the policies of the settings. Writes nothing."""
    async with session.clients(retry=FIRST_CONTACT) as clients:
        return _print(session.output, await explain_policies(session.resources(clients), request.policy))


async def run_remotely(session: RemoteSession, request: PoliciesRequest) -> int:
    """Have a deployment explain its policies."""
    query = {"policy": request.policy} if request.policy is not None else {}
    return _print(session.output, (await session.deployment.get("policies", PolicyList, query)).policies)


def _print(output: Output, policies: Sequence[PolicyExplained]) -> int:
    for each in policies:
        output.result("policy", msgspec.to_builtins(each), *_lines(each))
    if not policies:
        output.show("There are no policies")
    return DONE


def _lines(policy: PolicyExplained) -> list[Text]:
    lines = [
        Text.assemble((policy.policy, "bold"), f"  {', '.join(policy.patterns)} of {policy.service}"),
        Text(f"  next run      {instant(policy.next_run)} ({policy.schedule})"),
        Text(f"  recovery      a complete snapshot within {duration(policy.recovery_point)}"),
    ]
    if policy.time_limit is not None:
        lines.append(Text(f"  time limit    {duration(policy.time_limit)}"))
    if policy.running is not None:
        lines.append(Text(f"  running       {policy.running}"))
    lines.append(Text(f"  last success  {_run(policy.last_success)}"))
    lines.append(Text(f"  last failure  {_run(policy.last_failure)}"))
    for index in policy.indexes:
        others = [name for name in index.policies if name != policy.policy]
        beside = f", with policy {', '.join(others)}" if others else ""
        whole = count(index.kept + index.goes, "snapshot")
        lines.append(Text(f"  {index.index}: {index.kept:,} of {whole} would stay{beside}"))
        for snapshot in index.snapshots:
            verdict = ("keep  ", "green") if snapshot.keep else ("remove", "red")
            lines.append(Text.assemble("    ", verdict, f"  @{snapshot.id}  {', '.join(snapshot.reasons)}"))
        rest = index.kept + index.goes - len(index.snapshots)
        if rest:
            lines.append(Text(f"    and {rest:,} older ones"))
    return lines


def _run(run: RunExplained | None) -> str:
    if run is None:
        return "none that is remembered"
    when = instant(run.finished) if run.finished is not None else "unfinished"
    return f"{when}, {run.run}" + (f": {run.failure}" if run.failure else f" ({run.state})")


COMMAND = Command(
    description="Explain the policies: last success and failure, next run, and for each index which snapshots retention"
    " would keep and why. Nothing is written.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
