"""The cost of keeping snapshots, on a real Azurite: `python -m benchmarks.keeping [listing|damage|prune …]`.

listing: list thousands of snapshots from their metadata; damage: what a verification reports for each kind; prune:
decide on a year of daily snapshots under a policy, remove.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.servers import servers
from benchmarks.snapshot_data import INDEX, MORNING, SERVICE, document, manifest_of, random_key, write_snapshot
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.manifest import Manifest, seal
from indexvault.snapshots.names import index_prefix, manifest_name
from indexvault.snapshots.prune import Removal, prune_index
from indexvault.snapshots.retention import Retention, decide
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import summarise, to_metadata
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.verify import verify_index

DAY = timedelta(days=1)
_AT_ONCE = 16
_LIMIT = 1 << 30


class _Requests(logging.Handler):
    """Counts the requests that the storage library logs."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a request."""
        self.count += str(record.msg).startswith("Request URL")


async def listing(console: Console, store: Store, number: int) -> None:
    """List many snapshots of one index."""
    manifest = manifest_of(Tree(), [], MORNING, bits=4)
    waiting = iter(range(number))

    async def work() -> None:
        for place in waiting:
            one = manifest_of(Tree(), [], MORNING + place * timedelta(hours=1), bits=4)
            name = manifest_name(SERVICE, INDEX, one.id)
            await store.snapshots.create(name, seal(one), metadata=to_metadata(summarise(one)))

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    requests = _Requests()
    logger = logging.getLogger("azure.core.pipeline.policies.http_logging_policy")
    logger.addHandler(requests)
    logger.setLevel(logging.INFO)
    begin = time.monotonic()
    found = await list_snapshots(store.snapshots)
    seconds = time.monotonic() - begin
    logger.setLevel(logging.WARNING)
    console.print(
        f"listing: {len(found):,} snapshots of {manifest.service}/{manifest.index} in {seconds:.2f} s with"
        f" {requests.count} requests\n"
    )


async def damage(console: Console, store: Store, number: int) -> None:
    """Do each kind of damage to a snapshot of its own, and print what a verification reports."""
    table = Table(title="what verify says", title_justify="left", show_lines=True)
    for heading in ("damage done", "kind", "blob", "what", "snapshots"):
        table.add_column(heading, overflow="fold")
    kinds: dict[str, Callable[[Store, Manifest], Awaitable[str]]] = {
        "missing chunk": _missing_pack,
        "flipped byte": _flipped_byte,
        "truncated gzip": _truncated,
        "edited manifest": _edited_manifest,
        "missing manifest": _missing_manifest,
        "foreign blob": _foreign_blob,
    }
    for place, (kind, do) in enumerate(kinds.items()):
        index = f"hotels-{place}"
        lines = {key: document(key) for key in map(random_key, range(number))}
        first = await write_snapshot(store.snapshots, lines, MORNING, index=index)
        lines[random_key(1)] = document(random_key(1), 1)
        await write_snapshot(store.snapshots, lines, MORNING + DAY, previous=first, index=index)
        await do(store, first)
        report = await verify_index(store.snapshots, SERVICE, index)
        for finding in report.findings:
            short = finding.blob.removeprefix(index_prefix(SERVICE, index))
            table.add_row(kind, finding.kind, short, finding.what, "\n".join(finding.snapshots) or "none")
        if not report.findings:
            what = f"{report.snapshots} snapshot left; {report.unnamed} chunk that no snapshot names"
            table.add_row(kind, "nothing damaged", "", what, "")
    console.print(table)


async def prune(console: Console, store: Store, number: int) -> None:
    """Decide on a year of daily snapshots, remove, and remove the chunks a day later."""
    lines = {key: document(key) for key in map(random_key, range(number))}
    now = MORNING + 364 * DAY
    previous = None
    for day in range(365):
        lines[random_key(day % number)] = document(random_key(day % number), day)
        previous = await write_snapshot(store.snapshots, lines, MORNING + day * DAY, previous=previous)
    policy = Retention(last=3, daily=7, weekly=4, monthly=6, yearly=2)
    snapshots = await list_snapshots(store.snapshots, SERVICE, INDEX)
    decisions = decide(snapshots, [policy], {snapshots[40].id})
    table = Table(title="last 3, daily 7, weekly 4, monthly 6, yearly 2; one pinned", title_justify="left")
    for heading in ("snapshot", "age", "added", "", "why"):
        table.add_column(heading)
    for decision in decisions:
        if decision.keep:
            age = (now - decision.snapshot.created).days
            added = f"{decision.snapshot.added_stored / 1000:.1f} kB"
            table.add_row(decision.snapshot.id, f"{age} d", added, "stays", ", ".join(decision.reasons))
    console.print(table)
    removals = [Removal(each.snapshot.id, "; ".join(each.reasons)) for each in decisions if not each.keep]
    real_now = max([blob.modified async for blob in store.snapshots.list("")])
    one = await prune_index(store, SERVICE, INDEX, removals, clock=lambda: real_now)
    other = await prune_index(store, SERVICE, INDEX, [], clock=lambda: real_now + DAY)
    found = await verify_index(store.snapshots, SERVICE, INDEX)
    console.print(
        f"{len(one.removed)} others removed; their chunks: {one.sweep.removed} removed at once and {one.sweep.waiting}"
        f" waiting, {other.sweep.removed} removed a day later; then {found.snapshots} snapshots with"
        f" {found.chunks} chunks, {len(found.findings)} damaged, {found.unnamed} chunks without a snapshot\n"
    )


async def _replace(store: Store, name: str, change: Callable[[bytes], bytes]) -> str:
    properties = await store.snapshots.properties(name)
    data = await store.snapshots.read(name, _LIMIT)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, change(data), metadata=properties.metadata if properties else {})
    return name


async def _shared(store: Store, manifest: Manifest) -> str:
    """Return the name of a pack that both snapshots use: the one of any chunk but that of the document that changed."""
    changed = random_key(1)
    async for chunks in TreeReader(store.snapshots, manifest.folder).chunks(manifest.tree):
        for chunk in chunks:
            if not chunk.first <= changed <= chunk.last:
                return manifest.folder.pack(chunk.pack)
    raise AssertionError


async def _missing_pack(store: Store, manifest: Manifest) -> str:
    name = await _shared(store, manifest)
    await store.snapshots.delete(name)
    return name


async def _flipped_byte(store: Store, manifest: Manifest) -> str:
    def flip(data: bytes) -> bytes:
        return data[:500] + bytes([data[500] ^ 1]) + data[501:]

    return await _replace(store, await _shared(store, manifest), flip)


async def _truncated(store: Store, manifest: Manifest) -> str:
    return await _replace(store, await _shared(store, manifest), lambda data: data[:-100])


async def _edited_manifest(store: Store, manifest: Manifest) -> str:
    name = manifest_name(SERVICE, manifest.index, manifest.id)
    return await _replace(store, name, lambda data: data.replace(b'"complete"', b'"finished"'))


async def _missing_manifest(store: Store, manifest: Manifest) -> str:
    name = manifest_name(SERVICE, manifest.index, manifest.id)
    await store.snapshots.delete(name)
    return name


async def _foreign_blob(store: Store, manifest: Manifest) -> str:
    name = f"{manifest.folder.prefix}notes.txt"
    await store.snapshots.create(name, b"?")
    return name


_PARTS = {"listing": (listing, 5000), "damage": (damage, 500), "prune": (prune, 2000)}


async def run(parts: list[str], connection_string: str) -> None:
    """Run each benchmark in an empty storage account, and print."""
    console = Console(width=160)
    for part in parts:
        measure, number = _PARTS[part]
        async with AzureStore.from_connection_string("local", connection_string) as store:
            await store.prepare()
            await measure(console, store, number)
            for name in [blob.name async for blob in store.snapshots.list("")] if part != parts[-1] else []:
                await store.snapshots.delete(name)


def main() -> int:
    """Read the arguments, start Azurite and run."""
    parser = argparse.ArgumentParser(description="What keeping snapshots takes.")
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], default=list(_PARTS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="indexvault-") as folder, servers(Path(folder)) as running:
        asyncio.run(run(list(given.parts), running.connection_string))
    return 0


if __name__ == "__main__":
    sys.exit(main())
