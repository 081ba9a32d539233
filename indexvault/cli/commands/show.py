"""`indexvault show`: what a snapshot holds, and what it lacks."""

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from rich.text import Text

from indexvault.api.snapshot_views import manifest_of
from indexvault.backup.state import KEY_ORDER
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import age, count, duration, instant, size
from indexvault.cli.options import add_snapshot
from indexvault.cli.output import Output
from indexvault.cli.references import snapshot_reference
from indexvault.cli.remote.options import unsupported_verb
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.cli.session import Session
from indexvault.cli.tables import Details
from indexvault.errors import UnexpectedAnswerError
from indexvault.maintenance.holds import list_holds
from indexvault.maintenance.pins import Pinned, list_pins
from indexvault.maintenance.unchanged import list_unchanged
from indexvault.model import Authenticity
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import resolve, resolve_manifest
from indexvault.snapshots.holds import Hold
from indexvault.snapshots.labels import tags_in_words
from indexvault.snapshots.manifest import Definition, Manifest, Presumption
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.service_manifest import ServiceManifest, read_service_manifest
from indexvault.snapshots.sharing import Sharing, read_sharing
from indexvault.snapshots.unchanged import Unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRequest:
    """Tell what one snapshot holds."""

    snapshot: SnapshotReference


def read_request(arguments: Namespace) -> ShowRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return ShowRequest(snapshot=snapshot_reference(arguments.snapshot))


async def run(session: Session, request: ShowRequest) -> int:
    """Print the manifest of one snapshot."""
    async with session.clients() as clients:
        if request.snapshot.index == SERVICE_OBJECTS:
            store = clients.store_of(request.snapshot.service)
            summary = await resolve(store.snapshots, request.snapshot, now=session.clock())
            objects = await read_service_manifest(store.snapshots, summary.reference)
            kept = await list_pins(session.resources(clients), {(summary.service, summary.index)})
            _print_service_manifest(session.output, objects, kept.get(summary.reference))
            return DONE
        blobs = clients.reading_store(request.snapshot.service).snapshots
        manifest = await resolve_manifest(blobs, request.snapshot, now=session.clock())
        sharing = await read_sharing(blobs, manifest)
        here = {(manifest.service, manifest.index)}
        resources = session.resources(clients)
        held, pinned = await list_holds(resources, here), await list_pins(resources, here)
        unchanged = await list_unchanged(resources, here)
    reference = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
    _print_manifest(
        session.output,
        manifest,
        manifest.tree.count,
        sharing,
        held=held.get(reference, []),
        pinned=pinned.get(reference),
        unchanged=unchanged.get(reference),
        now=session.clock(),
    )
    return DONE


async def run_remotely(session: RemoteSession, request: ShowRequest) -> int:
    """Print the manifest of one snapshot of a deployment."""
    if request.snapshot.index == SERVICE_OBJECTS:
        raise unsupported_verb(f"show {request.snapshot}")
    view = await read_snapshot(session, request.snapshot, sharing=True)
    if view.sharing is None:
        raise UnexpectedAnswerError(
            "this version of the app can't say what it shares",
            on=str(request.snapshot),
            do="Deploy the app of this version",
        )
    _print_manifest(
        session.output,
        manifest_of(view),
        view.summary.chunks,
        view.sharing,
        held=view.held,
        pinned=view.pinned,
        unchanged=view.unchanged,
        now=session.clock(),
    )
    return DONE


def _print_manifest(
    output: Output,
    manifest: Manifest,
    chunks: int,
    sharing: Sharing,
    *,
    held: Sequence[Hold],
    pinned: Pinned | None,
    unchanged: Unchanged | None,
    now: datetime,
) -> None:
    """Print a manifest; `chunks` is how many it has, since a deployment sends it without them."""
    reference = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
    record = {"reference": str(reference), **_record(manifest, chunks), "sharing": msgspec.to_builtins(sharing)}
    if held:
        record["held"] = msgspec.to_builtins(held)
    if pinned is not None:
        record["pinned"] = msgspec.to_builtins(pinned)
    if unchanged is not None:
        record["unchanged"] = msgspec.to_builtins(unchanged)
    table = _table(reference, manifest, chunks, sharing, now)
    if unchanged is not None:
        table.add_row("unchanged", unchanged.words)
    for hold in held:
        table.add_row("kept", Text(hold.reason, style="yellow"))
    if pinned is not None:
        table.add_row("kept", Text(pinned.words, style="yellow"))
    output.result("manifest", record, table)


def _record(manifest: Manifest, chunks: int) -> dict[str, Any]:
    """Return the manifest as data, with its chunks counted and its definitions as JSON values."""
    members = {name: getattr(manifest, name) for name in manifest.__struct_fields__ if name != "tree"}
    members["chunks"] = chunks
    members["definition"] = _definition(manifest.definition)
    members["synonym_maps"] = [
        {"name": entry.name, "definition": _definition(entry.definition)} for entry in manifest.synonym_maps
    ]
    return members


def _definition(definition: Definition) -> dict[str, Any]:
    return {version.api_version: msgspec.json.decode(version.body) for version in definition.versions}


def _table(reference: SnapshotReference, manifest: Manifest, chunks: int, sharing: Sharing, now: datetime) -> Details:
    counts, added, etag = manifest.counts, manifest.added, manifest.etag
    schema = read_schema(manifest.definition.fullest.body, on=str(reference))
    table = Details()
    table.add_row("snapshot", str(reference))
    table.add_row("state", Text(manifest.state, style=_style(manifest)))
    if manifest.presumption is not None:
        for label, text in _presumed(manifest.presumption, now):
            table.add_row(label, text)
    _add_labels(table, manifest)
    _add_authenticity(table, manifest.authenticity)
    for loss in manifest.losses:
        table.add_row("not in it", Text(f"{loss.field}: {loss.reason}", style="yellow"))
    for words in manifest.unsettled.words if manifest.unsettled is not None else ():
        table.add_row("open", Text(words, style="yellow"))
    if manifest.missed is not None:
        style = "yellow" if manifest.missed.documents else "green"
        table.add_row("proved", Text(manifest.missed.words, style=style))
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
        "added", f"{count(added.chunks, 'chunk')}, {size(added.stored)} compressed; the rest was stored before"
    )
    table.add_row(
        "shared",
        f"{count(sharing.shared, 'chunk')}, {size(sharing.shared_stored)} compressed, with"
        f" {count(sharing.with_snapshots, 'other snapshot')}; {sharing.own:,}"
        f" ({size(sharing.own_stored)}) in this one only",
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


def _style(manifest: Manifest) -> str:
    if manifest.lacks:
        return "yellow"
    return "green" if manifest.presumption is None else "cyan"


def _presumed(presumption: Presumption, now: datetime) -> list[tuple[str, str]]:
    """Return what a presumed snapshot rests on."""
    when = age(presumption.proved_at, now)
    ago = "just now" if when == "now" else f"{when} ago"
    return [
        ("builds on", f"the full reading {presumption.proved}, made {ago}; changes merged into {presumption.base}"),
        ("presumed", f"only documents were read whose {presumption.field} is {presumption.since} or later"),
        ("", "and key ranges whose count had changed: what changed without it is missed"),
    ]


def _add_labels(table: Details, manifest: Manifest | ServiceManifest) -> None:
    """Add what whoever made a snapshot wrote on it."""
    if manifest.description:
        table.add_row("described", manifest.description)
    if manifest.tags:
        table.add_row("tags", tags_in_words(manifest.tags))
    if manifest.expires is not None:
        table.add_row("expires", instant(manifest.expires))


def _add_authenticity(table: Details, authenticity: Authenticity | None) -> None:
    """Add who made a snapshot, where there is a record key to tell."""
    if authenticity is not None:
        words, style = _AUTHENTICITY[authenticity]
        table.add_row("authentic", Text(words, style=style))


_AUTHENTICITY: dict[Authenticity, tuple[str, str]] = {
    "authentic": ("yes, signed with a record key", "green"),
    "accepted": ("signed with no record key, accepted by an operator", "yellow"),
    "unauthentic": ("no, signed with no record key: anybody may have written it", "red"),
}


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


def _print_service_manifest(output: Output, manifest: ServiceManifest, pinned: Pinned | None) -> None:
    """Print the manifest of a service's objects."""
    record = {
        "reference": str(manifest.reference),
        "state": manifest.state,
        "authenticity": manifest.authenticity,
        "created": manifest.created,
        "objects": [{"kind": each.kind, "name": each.name} for each in manifest.objects],
        "withheld": msgspec.to_builtins(manifest.withheld),
        "skipped": msgspec.to_builtins(manifest.skipped),
        "not_kept": msgspec.to_builtins(manifest.not_kept),
        "description": manifest.description,
        "tags": manifest.tags,
        "expires": manifest.expires,
    }
    table = _service_table(manifest)
    if pinned is not None:
        record["pinned"] = msgspec.to_builtins(pinned)
        table.add_row("kept", Text(pinned.words, style="yellow"))
    output.result("service_manifest", record, table)


def _service_table(manifest: ServiceManifest) -> Details:
    table = Details()
    table.add_row("snapshot", str(manifest.reference))
    table.add_row("state", Text(manifest.state, style="yellow" if manifest.state == "lossy" else "green"))
    _add_labels(table, manifest)
    _add_authenticity(table, manifest.authenticity)
    table.add_row("taken", instant(manifest.created))
    table.add_row("objects", count(len(manifest.objects), "object"))
    for each in manifest.objects:
        table.add_row(each.kind, each.name)
    for withheld in manifest.withheld:
        what = f"{withheld.kind} {withheld.name}: {withheld.path} looks like a secret"
        table.add_row("withheld", Text(what, style="yellow"))
    for lacking in manifest.not_kept:
        on = f"{lacking.kind} {lacking.name}" if lacking.name else lacking.kind
        table.add_row("not kept", Text(f"{on}: {lacking.reason}", style="yellow"))
    for skipped in manifest.skipped:
        table.add_row("skipped", f"{skipped.kind} (api-version {skipped.api_version}): {skipped.reason}")
    table.add_row("made by", f"{manifest.tool}, run {manifest.run}")
    return table


COMMAND = Command(
    description="Show what a snapshot holds and what it lacks.",
    add_arguments=add_snapshot,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
