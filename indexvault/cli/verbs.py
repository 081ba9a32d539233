"""The table of verbs, which `--help` prints without importing any of them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from indexvault.cli.command import Command

VERBS: Mapping[str, str] = {
    "backup": "make a snapshot of each index",
    "heal": "hide fields that a dead backup left revealed",
    "unlock": "take the lock of an index from a dead run",
    "snapshots": "list the snapshots there are",
    "show": "tell what a snapshot holds",
    "verify": "read a snapshot back and prove it",
    "restore": "rebuild an index from a snapshot and prove it",
    "move": "move an index to another service, tier or region, and prove it",
    "prune": "remove the snapshots that no policy keeps",
    "pin": "keep a snapshot from being pruned",
    "unpin": "let the policies decide on a snapshot again",
    "repair": "put back what is missing or damaged",
    "replicate": "copy snapshots to another store",
    "diff": "say what changed between two snapshots, or since one",
    "find": "follow one document through the snapshots",
    "export": "write a snapshot to a folder of plain files",
    "import": "make a folder of plain files a snapshot",
    "runs": "list the runs of a deployment (--url)",
    "cancel": "stop a run of a deployment (--url)",
    "check": "try every service and store",
}
"""Each verb with its one-line summary. `commands/<verb>.py` holds the rest, as its `COMMAND`."""


def load_command(verb: str) -> Command[Any]:
    """Import a verb's module, and what that needs. Raises KeyError for a verb that is not in the table."""
    if verb not in VERBS:
        raise KeyError(verb)
    command: Command[Any] = import_module(f"indexvault.cli.commands.{verb}").COMMAND
    return command
