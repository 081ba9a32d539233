"""`indexvault alerts`: what is wrong now; `alerts test` sends a test to the webhooks."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.api.alerts import AlertList, TestedWebhooks
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.output import Output
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.status.alerts import Alert
from indexvault.status.watch_over import Tested, try_webhooks, what_is_wrong

_STYLES = {"red": "red", "amber": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsRequest:
    """Look at everything, or send a test to webhooks: to all, or to the one of a name."""

    test: bool
    webhook: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", metavar="test", nargs="?", choices=("test",), help="send a test to the webhooks")
    parser.add_argument("webhook", metavar="NAME", nargs="?", help="only to this webhook of the settings")


def read_request(arguments: Namespace) -> AlertsRequest:
    """Return what the arguments ask for."""
    return AlertsRequest(test=arguments.action == "test", webhook=arguments.webhook)


async def run(session: Session, request: AlertsRequest) -> int:
    """Print what is wrong, or what became of the test. FAILED if anything is, or if a webhook did not take it."""
    async with session.clients(retry=FIRST_CONTACT) as clients:
        resources = session.resources(clients)
        if request.test:
            return _print_tested(session.output, await try_webhooks(resources, request.webhook))
        return _print_alerts(session.output, (await what_is_wrong(resources)).alerts)


async def run_remotely(session: RemoteSession, request: AlertsRequest) -> int:
    """Have a deployment look, or send the test."""
    if request.test:
        body = {"webhook": request.webhook} if request.webhook is not None else {}
        tested = await session.deployment.post("alerts/tests", body, TestedWebhooks)
        return _print_tested(session.output, tested.webhooks)
    return _print_alerts(session.output, (await session.deployment.get("alerts", AlertList)).alerts)


def _print_alerts(output: Output, alerts: Sequence[Alert]) -> int:
    for alert in alerts:
        output.result(
            "alert",
            msgspec.to_builtins(alert),
            Text.assemble((f"{alert.level:5}", _STYLES[alert.level]), f"  {alert.kind}  ", (alert.subject, "bold")),
            Text(f"       {alert.what}"),
            *([Text(f"       {alert.do}")] if alert.do else []),
        )
    if not alerts:
        output.show(Text("nothing is wrong", style="green"))
    return FAILED if alerts else DONE


def _print_tested(output: Output, tested: Sequence[Tested]) -> int:
    for each in tested:
        said = "took the test" if each.failure is None else each.failure
        style = "green" if each.failure is None else "red"
        output.result("webhook", msgspec.to_builtins(each), Text.assemble((each.webhook, "bold"), "  ", (said, style)))
    return FAILED if any(each.failure is not None for each in tested) else DONE


COMMAND = Command(
    description="Show what is wrong now, as alerts tell it; the exit code is 1 if anything is. `alerts test` sends a"
    " test to the webhooks of the settings.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
