"""What differs between a snapshot and the one before: its definition in words, and its chunks."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from indexvault.errors import IndexvaultError
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_difference import differing
from indexvault.snapshots.tree_reader import TreeReader

MOST_LINES = 100
SECONDS = 5.0
"""How long the chunks of two snapshots are compared: it reads the segments in which their trees differ."""


class ChunkDifference(msgspec.Struct, frozen=True):
    """What only the earlier, and only the later snapshot has. `unread` says why that is not known, or is empty."""

    only_before: int = 0
    only_after: int = 0
    documents_before: int = 0
    documents_after: int = 0
    unread: str = ""


async def chunk_difference(
    blobs: SnapshotReader, before: Manifest, after: Manifest, *, seconds: float = SECONDS
) -> ChunkDifference:
    """Compare the chunks of two snapshots, without reading any."""
    chunks, documents = {"one": 0, "other": 0}, {"one": 0, "other": 0}
    try:
        async with asyncio.timeout(seconds):
            async for side, found in differing(
                TreeReader(blobs, before.folder), before.tree, TreeReader(blobs, after.folder), after.tree
            ):
                chunks[side] += len(found)
                documents[side] += sum(chunk.documents for chunk in found)
    except TimeoutError:
        return ChunkDifference(unread=f"more differs than can be compared in {seconds:g} s")
    except IndexvaultError as error:
        return ChunkDifference(unread=f"{error.on}: {error.what}")
    return ChunkDifference(chunks["one"], chunks["other"], documents["one"], documents["other"])


def definition_differences(before: bytes | msgspec.Raw, after: bytes | msgspec.Raw) -> list[str]:
    """Return in words how a definition differs from an earlier one: MOST_LINES lines, and one that counts the rest."""
    one, other = (msgspec.json.decode(bytes(each), type=dict[str, Any]) for each in (before, after))
    lines = _field_differences(_fields(one), _fields(other))
    for name in sorted((one.keys() | other.keys()) - {"fields"}):
        if name.startswith("@odata.") or _said(one, name) == _said(other, name):
            continue
        kind = "added" if not _said(one, name) else "removed" if not _said(other, name) else "changed"
        lines.append(f"{name} {kind}")
    rest = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {rest:,} more"] if rest > 0 else lines


def _said(definition: Mapping[str, Any], name: str) -> Any:
    """Return a member, or None if it is empty, which means the same."""
    return definition.get(name) or None


def _field_differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    lines = [f"field {path} added ({after[path].get('type', 'no type')})" for path in after if path not in before]
    lines += [f"field {path} removed" for path in before if path not in after]
    for path, field in after.items():
        earlier = before.get(path)
        if earlier is None or earlier == field:
            continue
        changed = sorted(name for name in earlier.keys() | field.keys() if earlier.get(name) != field.get(name))
        lines.append(f"field {path}: {', '.join(changed)} changed")
    return lines


def _fields(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields of a definition by their paths, each without those inside it."""
    found: dict[str, dict[str, Any]] = {}
    waiting: list[tuple[str, Any]] = [("", definition.get("fields"))]
    while waiting:
        prefix, fields = waiting.pop()
        for field in fields if isinstance(fields, list) else []:
            if isinstance(field, dict):
                path = f"{prefix}{field.get('name')}"
                found[path] = {name: value for name, value in field.items() if name not in {"name", "fields"}}
                waiting.append((f"{path}/", field.get("fields")))
    return found
