"""What the command line takes about a deployment: where it is, and what it runs."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from indexvault.cli.upkeep import AddVerb


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRequest:
    """List the runs of a deployment, or tell how far one of them is."""

    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Stop a run of a deployment."""

    run: str


type DeploymentRequest = RunsRequest | CancelRequest


def add_url(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    """Add the option that says which deployment is to do the work."""
    parser.add_argument(
        "--url",
        metavar="URL",
        default=default,
        help="let this deployment do it, such as https://contoso-vault.azurewebsites.net, without INDEXVAULT_CONFIG",
    )


def add_key(parser: argparse.ArgumentParser) -> None:
    """Add the key. It stands before the verb only: a restore's --key names a document."""
    parser.add_argument(
        "--key",
        dest="function_key",
        metavar="KEY",
        help="with --url, before the verb: a function key of the app. Others on this machine see what stands on a"
        " command line: better set INDEXVAULT_KEY",
    )


def add_deployment_verbs(add_verb: AddVerb) -> None:
    """Add the verbs."""
    runs = add_verb(
        "runs",
        "list the runs of a deployment (--url)",
        "List the newest runs of a deployment, or tell how far one of them is.",
    )
    runs.add_argument("run", metavar="RUN", nargs="?", help="only this one, index by index")
    cancel = add_verb(
        "cancel",
        "stop a run of a deployment (--url)",
        "Stop a run of a deployment and take its locks, so that it can't commit. What it had finished stays.",
    )
    cancel.add_argument("run", metavar="RUN", help="the run")


DEPLOYMENT_REQUESTS: dict[str, Callable[[argparse.Namespace], DeploymentRequest]] = {
    "runs": lambda given: RunsRequest(run=given.run),
    "cancel": lambda given: CancelRequest(run=given.run),
}
"""These verbs only a deployment has."""
