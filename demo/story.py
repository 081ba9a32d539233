"""The demo's steps: back up an index, restore it to another service, prove that both are the same."""

import asyncio
import os
import random
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import batched
from pathlib import Path

from azure.core.credentials import AzureKeyCredential
from azure.storage.blob import ContainerClient
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from demo.folder import SOURCE, STORE_VARIABLE, TARGET, DemoFolder
from demo.hotels import INDEX, SYNONYM_MAP, definition, documents, synonym_map
from indexvault.cli.formatting import count, duration
from indexvault.cli.output import Output
from indexvault.cli.progress import ProgressDisplay
from indexvault.restore.upload import Uploader
from indexvault.search.client import SearchService
from indexvault.snapshots.names import SNAPSHOT_CONTAINER

_PROJECT = Path(__file__).parents[1]
_LATEST = f"{SOURCE}/{INDEX}@latest"
_TOLD_AT_ONCE = 500


class CommandError(Exception):
    """A command ended with an unexpected exit code."""


class Story:
    """Runs the steps and explains them. `variables` is the environment of the commands."""

    def __init__(self, console: Console, variables: Mapping[str, str], endpoint: str, key: str) -> None:
        self._console = console
        self._variables = variables
        self._endpoint = endpoint
        self._key = key

    def tell(self, number: int) -> None:
        """Run all steps with so many documents."""
        began = time.monotonic()
        self._step(f"{SOURCE} gets an index of {count(number, 'invented hotel')}")
        self._say("One field of every type, five kinds of vector, and names searched through a synonym map.")
        asyncio.run(self._fill(number))

        self._step("Is everything reachable, and do the roles suffice?")
        self._indexvault("check")

        self._step("A backup")
        self._say("The service is only read. Its documents go to the store as they are, in chunks cut by their keys.")
        self._indexvault("backup", SOURCE, INDEX)
        self._indexvault("snapshots")

        self._step(f"A restore to {TARGET}: another service, of another tier, in another region")
        self._say(
            "First every stored chunk is proved, then the index is made and loaded, and then every document is read"
            " back and compared with the snapshot."
        )
        self._indexvault("restore", _LATEST, "--to", TARGET)
        self._say("A restore never touches an index that exists. The same again is refused, with exit code 5:")
        self._indexvault("restore", _LATEST, "--to", TARGET, expected=5)

        self._step("A second backup of the index, which nobody has changed")
        self._say("What is stored already is not stored again.")
        self._indexvault("backup", SOURCE, INDEX)
        self._indexvault("snapshots", f"{SOURCE}/{INDEX}")

        self._step("The store itself, read back and proved")
        self._indexvault("verify", _LATEST)
        self._say(f"All of it took {duration(timedelta(seconds=time.monotonic() - began))}.")

    async def _fill(self, number: int) -> None:
        """Create the synonym map, the index and its documents on the source service."""
        service = SearchService(SOURCE, self._endpoint, AzureKeyCredential(self._key), rng=random.SystemRandom())
        async with service:
            await service.create_synonym_map(SYNONYM_MAP, synonym_map(), preview=False)
            await service.create_index(INDEX, definition(), preview=False)
            output = Output(as_json=False, stdout=sys.stdout, stderr=sys.stderr)
            with output.progress(f"{SOURCE}/{INDEX}") as progress:
                progress.advance("load", expected=number)
                await Uploader(service, INDEX, rng=random.SystemRandom()).upload(_told(documents(number), progress))

    def _indexvault(self, *arguments: str, expected: int = 0) -> None:
        """Run a command as a user would, on this terminal."""
        self._console.print(f"\n[bold]$ indexvault {escape(shlex.join(arguments))}[/]", soft_wrap=True)
        sys.stdout.flush()
        command = [sys.executable, "-m", "indexvault", *arguments]
        process = subprocess.Popen(command, env={**os.environ, **self._variables}, cwd=_PROJECT)  # noqa: S603 - our own
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # A Control-C has reached the command too. A signal to the demo alone has not.
            _await_end(process)
            raise
        if code != expected:
            raise CommandError(f"indexvault {shlex.join(arguments)} ended with {code}, not with {expected}")

    def _step(self, title: str) -> None:
        self._console.print()
        self._console.print(Rule(title, align="left", characters="─", style="cyan"))

    def _say(self, text: str) -> None:
        self._console.print(text, style="italic")


def _await_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


async def _told(
    found: Iterator[tuple[str, bytes]], progress: ProgressDisplay
) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
    for some in batched(found, _TOLD_AT_ONCE, strict=False):
        yield some
        progress.advance("load", documents=len(some), bytes=sum(len(line) for _key, line in some))


def copy_snapshots(folder: DemoFolder, variables: Mapping[str, str]) -> None:
    """Copy the blobs of the snapshot container to files of the same names."""
    with ContainerClient.from_connection_string(variables[STORE_VARIABLE], SNAPSHOT_CONTAINER) as container:
        for blob in container.list_blobs():
            file = folder.copy / blob.name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(container.download_blob(blob.name).readall())


def next_steps(console: Console, folder: DemoFolder) -> None:
    """Print what to look at next."""
    index = folder.copy / SOURCE / INDEX
    console.print()
    console.print(Rule("What to look at next", align="left", characters="─", style="cyan"))
    _suggest(
        console,
        "A snapshot is plain files. A document (jq below 1.7 rounds integers beyond 2^53, the file doesn't):",
        f"zcat {index}/packs/*.jsonl.gz | head -1 | jq .",
    )
    _suggest(console, "Its packs, each named by the SHA-256 of its bytes:", f"ls -lh {index}/packs")
    _suggest(
        console,
        "What the manifests say of both snapshots:",
        f"jq '{{id, state, counts, bytes, added, losses, tree: .tree.level}}' {index}/manifests/*.json",
    )
    _suggest(
        console,
        "The servers are stopped. To start them again with all that is in them, for commands of your own:",
        ".venv/bin/python -m demo serve",
    )
    _suggest(console, "To back up an index of your own service: README.md, A first backup of your own service", "")


def _suggest(console: Console, text: str, command: str) -> None:
    console.print(f"\n{text}")
    if command:
        console.print(f"  [bold]{escape(command)}[/]", soft_wrap=True)
