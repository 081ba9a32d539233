"""The page of one snapshot: what it holds and lacks, its chunks, where it comes from, and what changed."""

from collections.abc import Sequence

import msgspec

from indexvault.errors import IndexvaultError, NotFoundError, SettingsError
from indexvault.maintenance.holds import list_holds
from indexvault.maintenance.pins import list_pins
from indexvault.model import Authenticity
from indexvault.pages.differences import ChunkDifference, chunk_difference, definition_differences
from indexvault.pages.html import Child, Element, h
from indexvault.pages.index import index_path
from indexvault.pages.parts import Column, badge, facts, nothing, section, state, table
from indexvault.pages.request import Links, Page, PageRequest
from indexvault.pages.words import ago, at, size
from indexvault.printable import count
from indexvault.search.schema import Field, read_schema
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve
from indexvault.snapshots.manifest import Definition, Manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary
from indexvault.status.health import in_words

MOST_SHOWN = 2_000_000
"""Characters of a definition that a page shows: it may have 16 MiB."""
_MOST_ROWS = 1000
_AUTHENTICITY: dict[Authenticity, Element] = {
    "authentic": badge("green", "signed with a record key"),
    "accepted": badge("amber", "signed with no record key, accepted by an operator"),
    "unauthentic": badge("red", "signed with no record key: anybody may have written it"),
}


async def find_snapshot(request: PageRequest, service: str, index: str, point: str) -> Summary:
    """Return the snapshot that an address names.

    Raises NotFoundError for what can't be one, IntegrityError if it is damaged.
    """
    path = index_path(service, index)
    try:
        reference = SnapshotReference.parse(f"{path.service}/{path.index}@{point}")
    except SettingsError:
        raise NotFoundError("no snapshot has such a name", on="this address", do="Start from the status") from None
    clients = request.resources.clients
    return await resolve(
        clients.reading_store(path.service).snapshots, reference, now=request.resources.clock()
    )  # fmt: skip


async def snapshot_page(request: PageRequest, service: str, index: str, point: str) -> Page:
    """Return the page of a snapshot."""
    summary = await find_snapshot(request, service, index, point)
    blobs = request.resources.clients.reading_store(service).snapshots
    content = await (
        _service_objects(request, blobs, summary) if index == SERVICE_OBJECTS else _index(request, blobs, summary)
    )
    links = request.links
    return Page(
        title=f"{summary.service}/{summary.index}@{summary.id}",
        trail=(
            ("Status", links.home()),
            (f"{summary.service}/{summary.index}", links.page("indexes", summary.service, summary.index)),
        ),
        content=h(
            "div",
            h(
                "div",
                h("h1", "Snapshot ", h("span", summary.id, class_="name")),
                state(summary.state),
                class_="headline",
            ),
            content,
        ),
    )


async def _index(request: PageRequest, blobs: SnapshotReader, summary: Summary) -> list[Child]:
    manifest = await read_manifest(blobs, summary)
    listed = await list_snapshots(blobs, summary.service, summary.index)
    before, after = _neighbours(listed, summary)
    links = request.links
    restore = links.page("snapshots", summary.service, summary.index, summary.id, "restore")
    return [
        h("p", h("a", "Restore this snapshot", href=restore, class_="button"), class_="actions"),
        await _facts(request, manifest),
        _losses(manifest),
        _withheld([(each.kind, each.name, each.path) for each in manifest.withheld]),
        section("Chunks", _chunks(manifest), name="chunks"),
        section("Lineage", _lineage(request, manifest, before, after), name="lineage"),
        section("Since the one before", await _since(blobs, manifest, before, links), name="since"),
        section("Fields", _fields(manifest), name="fields"),
        section("Definition", _definitions(manifest), name="definition"),
    ]


def _neighbours(listed: Sequence[Summary], summary: Summary) -> tuple[Summary | None, Summary | None]:
    """Return the snapshots before and after one, among those that can be read."""
    usable = [each for each in listed if each.state not in {"damaged", "missing"} and each.is_trusted]
    older = [each for each in usable if (each.created, each.id) < (summary.created, summary.id)]
    newer = [each for each in usable if (each.created, each.id) > (summary.created, summary.id)]
    return (older[0] if older else None), (newer[-1] if newer else None)


async def _facts(request: PageRequest, manifest: Manifest) -> Element:
    here = {(manifest.service, manifest.index)}
    reference = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
    kept: list[Child] = []
    try:
        pinned = (await list_pins(request.resources, here)).get(reference)
        held = (await list_holds(request.resources, here)).get(reference, [])
        kept = [pinned.words] if pinned is not None else []
        kept += [hold.reason for hold in held]
    except IndexvaultError as error:
        kept = [f"not known: {error.on}: {error.what}"]
    counts, reading = manifest.counts, manifest.reading
    counted = [f"{each:,}" if each is not None else "an unknown number" for each in (counts.before, counts.after)]
    return facts(
        [
            ("Made", [at(manifest.created), " ", ago(manifest.created, request.resources.clock())]),
            ("Took", in_words(manifest.finished - manifest.started)),
            ("Documents", f"{counts.documents:,}; the service counted {counted[0]} before and {counted[1]} after"),
            ("Key field", h("code", manifest.key_field)),
            ("Read", f"by {reading.method}: {reading.reason}" if reading is not None else "in the order of its key"),
            ("Revealed", ", ".join(reading.revealed) if reading is not None and reading.revealed else None),
            ("Authentic", _AUTHENTICITY[manifest.authenticity] if manifest.authenticity is not None else None),
            ("Kept", h("ul", [h("li", each) for each in kept]) if kept else None),
        ]
    )


def _losses(manifest: Manifest) -> Element | None:
    rows: list[list[Child]] = [[h("code", loss.field), loss.reason] for loss in manifest.losses[:_MOST_ROWS]]
    open_parts = list(manifest.unsettled.words) if manifest.unsettled is not None else []
    if not rows and not open_parts:
        return None
    return section(
        "What it lacks",
        table(f"{count(len(manifest.losses), 'field')} that could not be read", (Column("Field"), Column("Why")), rows)
        if rows
        else None,
        h("ul", [h("li", each) for each in open_parts[:_MOST_ROWS]]) if open_parts else None,
        name="losses",
    )


def _withheld(found: Sequence[tuple[str, str, str]]) -> Element | None:
    if not found:
        return None
    rows: list[list[Child]] = [[f"{kind}/{name}", h("code", path)] for kind, name, path in found[:_MOST_ROWS]]
    return section(
        "Withheld",
        table("Values that look like secrets and were taken out", (Column("Object"), Column("Value")), rows),
        name="withheld",
    )


def _chunks(manifest: Manifest) -> Element:
    added, chunks = manifest.added, manifest.tree.count
    share = f" ({added.chunks / chunks:.1%} of all)" if chunks else ""
    return facts(
        [
            ("Chunks", f"{chunks:,}, {size(manifest.bytes)}, {size(manifest.stored)} as stored"),
            ("Added by it", f"{count(added.chunks, 'chunk')}{share}, {size(added.stored)} as stored"),
            ("Shared", f"{count(chunks - added.chunks, 'chunk')} that were stored before"),
            ("Content", h("code", manifest.content_digest)),
        ]
    )


def _lineage(request: PageRequest, manifest: Manifest, before: Summary | None, after: Summary | None) -> Element:
    links = request.links

    def link(snapshot: str) -> Element:
        return h("a", snapshot, href=links.page("snapshots", manifest.service, manifest.index, snapshot), class_="name")

    presumption = manifest.presumption
    rests: Child = None
    if presumption is not None:
        rests = [
            "presumed: it rests on the field ",
            h("code", presumption.field),
            ", was merged into ",
            link(presumption.base),
            ", and was last read in full as ",
            link(presumption.proved),
        ]
    etag = manifest.etag
    return facts(
        [
            ("Before it", link(before.id) if before is not None else "none"),
            ("After it", link(after.id) if after is not None else "none: it is the newest"),
            ("Rests on", rests),
            ("Made by", [manifest.tool, ", run ", h("span", manifest.run, class_="name")]),
            ("Generation", manifest.generation or None),
            ("Format", manifest.format),
            (
                "ETag",
                f"{etag.before or 'none'}, "
                + ("the same after" if etag.before == etag.after else f"{etag.after} after"),
            ),
        ]
    )


async def _since(
    blobs: SnapshotReader, manifest: Manifest, before: Summary | None, links: Links
) -> Element:  # fmt: skip
    if before is None:
        return h("p", "It is the first one.", class_="nothing")
    try:
        earlier = await read_manifest(blobs, before)
    except IndexvaultError as error:
        return h("p", f"The one before can't be read: {error.on}: {error.what}.", class_="notice amber")
    lines = definition_differences(earlier.definition.fullest.body, manifest.definition.fullest.body)
    command = f"indexvault diff {before.reference} {manifest.service}/{manifest.index}@{manifest.id}"
    return facts(
        [
            (
                "Before",
                h("a", before.id, href=links.page("snapshots", before.service, before.index, before.id), class_="name"),
            ),
            ("Documents", _change(earlier.counts.documents, manifest.counts.documents)),
            ("Size", f"{size(earlier.bytes)} to {size(manifest.bytes)}"),
            ("Chunks", _chunk_words(await chunk_difference(blobs, earlier, manifest))),
            ("Definition", h("ul", [h("li", line) for line in lines]) if lines else "unchanged"),
            ("By document", h("code", command)),
        ]
    )


def _change(before: int, after: int) -> str:
    if before == after:
        return f"{after:,}, as many as before"
    return f"{before:,} to {after:,} ({after - before:+,})"


def _chunk_words(found: ChunkDifference) -> str:
    if found.unread:
        return found.unread
    if not found.only_before and not found.only_after:
        return "all the same"
    return (
        f"{count(found.only_after, 'chunk')} with {count(found.documents_after, 'document')} in place of"
        f" {count(found.only_before, 'chunk')} with {found.documents_before:,}"
    )


def _fields(manifest: Manifest) -> Element:
    try:
        every = list(read_schema(manifest.definition.fullest.body, on="definition").walk())
    except IndexvaultError as error:
        return h("p", f"They can't be read: {error.what}.", class_="notice amber")
    lost = {loss.field for loss in manifest.losses}
    rows: list[list[Child]] = [
        [
            h("code", path),
            h("code", field.type.replace("Edm.", "")),
            ", ".join(_attributes(field)) or nothing(),
            badge("amber", "not in it") if path in lost else "kept",
        ]
        for path, field in every[:_MOST_ROWS]
    ]
    columns = (Column("Field"), Column("Type"), Column("Attributes"), Column("In the snapshot"))
    rest = len(every) - len(rows)
    caption = f"{count(len(every), 'field')}" + (f", of which {rest:,} are not shown" if rest > 0 else "")
    return h("details", h("summary", caption), table(caption, columns, rows), open=len(every) <= 30)  # noqa: PLR2004


def _attributes(field: Field) -> list[str]:
    names = ("key", "filterable", "sortable", "facetable", "searchable")
    said = [name for name in names if getattr(field, name) is True]
    said += [] if field.is_readable else ["not retrievable"]
    return said + ([f"{field.dimensions} dimensions"] if field.dimensions is not None else [])


def _definitions(manifest: Manifest) -> list[Child]:
    shown = [_definition(f"Index {manifest.index}", manifest.definition)]
    return [
        *shown,
        *(_definition(f"Synonym map {each.name}", each.definition) for each in manifest.synonym_maps[:_MOST_ROWS]),
    ]


def _definition(of: str, definition: Definition) -> list[Child]:
    return [
        h(
            "details",
            h("summary", f"{of}, as api-version {version.api_version} gave it ({size(len(bytes(version.body)))})"),
            h("pre", h("code", _pretty(bytes(version.body))), tabindex="0", role="region", aria_label=f"{of}, JSON"),
        )
        for version in definition.versions
    ]


def _pretty(body: bytes) -> str:
    """Return JSON with a line for each member, cut where a page would get too long."""
    try:
        said = msgspec.json.format(body, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeError):
        said = body.decode(errors="replace")
    rest = len(said) - MOST_SHOWN
    return said if rest <= 0 else f"{said[:MOST_SHOWN]}\n… {rest:,} more characters: `indexvault show --json` has all"


async def _service_objects(request: PageRequest, blobs: SnapshotReader, summary: Summary) -> list[Child]:
    manifest = await read_service_manifest(blobs, summary.reference)
    rows: list[list[Child]] = [[each.kind, h("code", each.name)] for each in manifest.objects[:_MOST_ROWS]]
    lacks = [f"{each.kind} {each.name or ''}: {each.reason}" for each in manifest.not_kept]
    lacks += [f"{each.kind} (api-version {each.api_version}): {each.reason}" for each in manifest.skipped]
    return [
        facts(
            [
                ("Made", [at(manifest.created), " ", ago(manifest.created, request.resources.clock())]),
                ("Made by", [manifest.tool, ", run ", h("span", manifest.run, class_="name")]),
                ("Authentic", _AUTHENTICITY[manifest.authenticity] if manifest.authenticity is not None else None),
                ("Restore", h("code", f"indexvault restore '{manifest.reference}' --to SERVICE")),
            ]
        ),
        section(
            "Objects",
            table(f"{count(len(manifest.objects), 'object')} of the service", (Column("Kind"), Column("Name")), rows),
            name="objects",
        ),
        section("What it lacks", h("ul", [h("li", each) for each in lacks[:_MOST_ROWS]]), name="losses")
        if lacks
        else None,
        _withheld([(each.kind, each.name, each.path) for each in manifest.withheld]),
        section(
            "Definitions",
            [_definition(f"{each.kind} {each.name}", each.definition) for each in manifest.objects[:_MOST_ROWS]],
            name="definition",
        ),
    ]
