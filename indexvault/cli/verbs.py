"""The table of verbs, which `--help` prints without importing any of them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from indexvault.cli.command import Command

GROUPS: Mapping[str, Mapping[str, str]] = {
    "make and read snapshots": {
        "backup": "make a snapshot of each index",
        "snapshots": "list snapshots",
        "status": "show every index against its recovery point",
        "serve": "show the status page on this machine",
        "show": "show what a snapshot holds",
        "diff": "compare two snapshots, or a snapshot and a live index",
        "compare": "compare two live indexes or services, and make one as the other",
        "find": "follow one document through all snapshots of an index",
    },
    "restore and move": {
        "restore": "rebuild an index from a snapshot and prove it",
        "readiness": "tell what a pair of services would survive, and what not",
        "drill": "restore a snapshot under a temporary name, prove it, and remove it",
        "follow": "bring the standby of a pair to the newest snapshots",
        "failover": "make the other service of a pair the active one",
        "failback": "make the primary of a pair the active service again",
        "move": "move an index to another service, tier or region, and prove it",
    },
    "keep snapshots": {
        "verify": "read a snapshot back and compare it with its manifest",
        "prune": "remove the snapshots that no policy keeps",
        "delete": "delete snapshots, after showing what that frees",
        "pin": "keep a snapshot from being pruned or deleted",
        "unpin": "remove a snapshot's pin",
        "protect": "protect a snapshot until two people lift that",
        "unprotect": "ask for a protection to be lifted, or confirm it",
        "policies": "explain when policies run, and what they keep, and why",
        "stats": "tell what snapshots take up, and about what that costs",
        "replicate": "copy snapshots to another store",
        "accept": "trust snapshots that no record key has signed",
        "records": "list records that nobody with the record key has written",
        "repair": "replace missing or damaged blobs with copies of the same bytes",
    },
    "plain files": {
        "export": "write a snapshot to a folder of plain files",
        "import": "make a snapshot from a folder of plain files",
    },
    "set up, and after a crash": {
        "init": "write a first settings file, and check it",
        "completion": "print a script with which bash, zsh or fish completes",
        "check": "check that every service and store can be used",
        "heal": "hide fields that an interrupted backup left revealed",
        "unlock": "free an index that a dead run has locked",
        "alerts": "show what is wrong now, or test the webhooks",
    },
    "a deployment (--url)": {
        "runs": "list the runs of a deployment",
        "cancel": "cancel a run of a deployment",
    },
}
"""Each verb with its one-line summary, as `--help` groups them. `commands/<verb>.py` holds the rest: its `COMMAND`."""

VERBS: Mapping[str, str] = {verb: summary for verbs in GROUPS.values() for verb, summary in verbs.items()}


def load_command(verb: str) -> Command[Any]:
    """Import a verb's module, and what that needs. Raises KeyError for a verb that is not in the table."""
    if verb not in VERBS:
        raise KeyError(verb)
    command: Command[Any] = import_module(f"indexvault.cli.commands.{verb}").COMMAND
    return command
