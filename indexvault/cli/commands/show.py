"""`indexvault show`: what a snapshot holds, and what it lacks."""

from collections import Counter
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from indexvault.backup.state import KEY_ORDER
from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, duration, instant, size
from indexvault.cli.output import Output
from indexvault.cli.requests import ShowRequest
from indexvault.cli.service_objects import show_objects
from indexvault.cli.session import Session
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.manifest import Definition, Manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.sharing import Sharing, read_sharing


async def run(session: Session, request: ShowRequest) -> int:
    """Show one snapshot."""
    if request.snapshot.index == SERVICE_OBJECTS:
        return await show_objects(session, request.snapshot)
    async with clients(session) as opened:
        blobs = opened.reading_store(request.snapshot.service).snapshots
        manifest = await read_manifest(blobs, request.snapshot)
        shares = await read_sharing(blobs, manifest)
    tell_manifest(session.output, manifest, len(manifest.chunks), shares)
    return DONE


def tell_manifest(output: Output, manifest: Manifest, chunks: int, shares: Sharing) -> None:
    """Return a manifest as a result; `chunks` is how many it has, which need not be in it."""
    reference = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
    record = {"reference": str(reference), **_record(manifest, chunks), "sharing": msgspec.to_builtins(shares)}
    output.result("manifest", record, _table(reference, manifest, chunks, shares))


def _record(manifest: Manifest, chunks: int) -> dict[str, Any]:
    """Return the manifest as data, with its chunks counted and its definitions as JSON values."""
    members = {name: getattr(manifest, name) for name in manifest.__struct_fields__}
    members["chunks"] = chunks
    members["definition"] = _definition(manifest.definition)
    members["synonym_maps"] = [
        {"name": entry.name, "definition": _definition(entry.definition)} for entry in manifest.synonym_maps
    ]
    return members


def _definition(definition: Definition) -> dict[str, Any]:
    return {version.api_version: msgspec.json.decode(version.body) for version in definition.versions}


def _table(reference: SnapshotReference, manifest: Manifest, chunks: int, shares: Sharing) -> Table:
    counts, added, etag = manifest.counts, manifest.added, manifest.etag
    schema = read_schema(manifest.definition.fullest.body, on=str(reference))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("snapshot", str(reference))
    table.add_row("state", Text(manifest.state, style="yellow" if manifest.losses else "green"))
    for loss in manifest.losses:
        table.add_row("not in it", Text(f"{loss.field}: {loss.reason}", style="yellow"))
    for withheld in manifest.withheld:
        what = f"{withheld.path} of {withheld.kind}/{withheld.name}, which looks like a secret"
        table.add_row("withheld", Text(what, style="yellow"))
    table.add_row("taken", f"{instant(manifest.created)}, in {duration(manifest.finished - manifest.started)}")
    table.add_row(
        "documents",
        f"{counts.documents:,}, each key once (the service counted {_known(counts.before)} before and"
        f" {_known(counts.after)} after)",
    )
    table.add_row("chunks", f"{chunks:,}, {size(manifest.bytes)}, {size(manifest.stored)} compressed")
    table.add_row(
        "added", f"{count(added.chunks, 'chunk')}, {size(added.stored)} compressed; the rest was there before"
    )
    table.add_row(
        "shared",
        f"{count(shares.shared, 'chunk')}, {size(shares.shared_stored)} compressed, with"
        f" {count(shares.with_snapshots, 'other snapshot')}; {shares.own:,} ({size(shares.own_stored)}) are its alone",
    )
    for label, text in _how_it_was_read(manifest):
        table.add_row(label, text)
    for text in _fields(schema):
        table.add_row("fields", text)
    table.add_row("synonym maps", ", ".join(entry.name for entry in manifest.synonym_maps) or "none")
    versions = " and ".join(version.api_version for version in manifest.definition.versions)
    table.add_row("definition", f"kept as api-version {versions} gave it")
    same = "the same before and after" if etag.before == etag.after else f"{etag.after} after"
    table.add_row("etag", f"{etag.before or 'none'}, {same}")
    table.add_row("content", f"sha256 sum {manifest.content_digest}")
    table.add_row("made by", f"{manifest.tool}, run {manifest.run}")
    table.add_row("format", manifest.format)
    return table


def _how_it_was_read(manifest: Manifest) -> list[tuple[str, str]]:
    """Return the plan, why it was chosen and what it took; older snapshots were all read in key order and don't say."""
    reading = manifest.reading
    in_order = f"in the order of the key field {manifest.key_field}"
    if reading is None:
        return [("read", in_order)]
    again = f", {count(reading.again, 'stretch')} again" if reading.again else ""
    rows = [
        ("read", in_order if reading.method == KEY_ORDER else f"by {reading.method}"),
        ("because", reading.reason),
        ("took", f"{count(reading.parts, 'part')}{again}, {count(reading.requests, 'request')}"),
    ]
    return rows + ([("revealed", f"{', '.join(reading.revealed)}, and hidden again")] if reading.revealed else [])


def _fields(schema: Schema) -> list[str]:
    """Return a line on the fields and one on the vectors, if there are any."""
    fields = list(schema.walk())
    kinds = Counter(field.type.replace("Edm.", "") for _path, field in fields if not field.is_vector)
    inside = len(fields) - len(schema.fields)
    lines = [
        f"{count(len(schema.fields), 'field')}{f' and {inside:,} inside these' if inside else ''}: "
        + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    ]
    vectors = [
        f"{path} ({field.dimensions} {field.item_type.removeprefix('Edm.')})"
        for path, field in fields
        if field.is_vector
    ]
    return lines + ([f"{count(len(vectors), 'vector')}: {', '.join(vectors)}"] if vectors else [])


def _known(number: int | None) -> str:
    return "an unknown number" if number is None else f"{number:,}"
