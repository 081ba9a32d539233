"""What the command line takes about looking after snapshots: prune, pin, unpin, repair, replicate."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from indexvault.cli.references import SNAPSHOT_HELP, index_or_snapshot, place
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference

type AddVerb = Callable[[str, str, str], argparse.ArgumentParser]
"""Adds a verb by its name, what it does in a few words, and in a few sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """Remove the snapshots of a service, or of one index, that no policy keeps; with `dry_run` only say which."""

    service: str
    index: str | None
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRequest:
    """Keep a snapshot from being pruned, whatever the policies say."""

    snapshot: SnapshotReference
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpinRequest:
    """Let the policies decide on a snapshot again."""

    snapshot: SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRequest:
    """Put back what is missing or damaged of an index's snapshots, or of one."""

    target: IndexName | SnapshotReference
    store: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicateRequest:
    """Copy the snapshots of a service, or of one index, to another store; None means those that policies name."""

    service: str
    index: str | None
    store: str | None


type UpkeepRequest = PruneRequest | PinRequest | UnpinRequest | RepairRequest | ReplicateRequest


def add_upkeep_verbs(add_verb: AddVerb) -> None:
    """Add the verbs."""
    prune = add_verb(
        "prune",
        "remove the snapshots that no policy keeps",
        "Decide by the `keep` rules of the policies which snapshots stay, say why, and remove the others: from the"
        " service's store and from its replicas. The chunks that only they had go a day later, with the next prune."
        " Pinned snapshots and the last complete one of an index always stay.",
    )
    prune.add_argument("place", metavar="SERVICE[/INDEX]", help="whose snapshots")
    prune.add_argument("--dry-run", action="store_true", help="only show the table")

    pin = add_verb("pin", "keep a snapshot from being pruned", "Keep a snapshot, whatever the policies say.")
    pin.add_argument("snapshot", metavar="SNAPSHOT", help=SNAPSHOT_HELP)
    pin.add_argument("--reason", metavar="TEXT", default="", help="why, for whoever finds the pin")

    unpin = add_verb("unpin", "let the policies decide on a snapshot again", "Take a snapshot's pin away.")
    unpin.add_argument("snapshot", metavar="SNAPSHOT", help=SNAPSHOT_HELP)

    repair = add_verb(
        "repair",
        "put back what is missing or damaged",
        "Read the snapshots back, and replace what is missing or damaged where the very same bytes can still be had:"
        " from the other stores that hold the snapshots, or from the live index where its documents are unchanged.",
    )
    repair.add_argument("target", metavar="SERVICE/INDEX[@…]", help="all snapshots of the index, or one")
    repair.add_argument("--store", metavar="STORE", help="the store to repair (default: the service's own)")

    replicate = add_verb(
        "replicate",
        "copy snapshots to another store",
        "Copy the snapshots that another store lacks, prove by checksum that they arrived, and say how far it is"
        " behind.",
    )
    replicate.add_argument("place", metavar="SERVICE[/INDEX]", help="whose snapshots")
    replicate.add_argument("--to", metavar="STORE", help="which store (default: those in the policies' replicate_to)")


def _prune(given: argparse.Namespace) -> UpkeepRequest:
    service, index = place(given.place)
    return PruneRequest(service=service, index=index, dry_run=given.dry_run)


def _pin(given: argparse.Namespace) -> UpkeepRequest:
    return PinRequest(snapshot=SnapshotReference.parse(given.snapshot), reason=given.reason)


def _unpin(given: argparse.Namespace) -> UpkeepRequest:
    return UnpinRequest(snapshot=SnapshotReference.parse(given.snapshot))


def _repair(given: argparse.Namespace) -> UpkeepRequest:
    return RepairRequest(target=index_or_snapshot(given.target), store=given.store)


def _replicate(given: argparse.Namespace) -> UpkeepRequest:
    service, index = place(given.place)
    return ReplicateRequest(service=service, index=index, store=given.to)


UPKEEP_REQUESTS: dict[str, Callable[[argparse.Namespace], UpkeepRequest]] = {
    "prune": _prune,
    "pin": _pin,
    "unpin": _unpin,
    "repair": _repair,
    "replicate": _replicate,
}
