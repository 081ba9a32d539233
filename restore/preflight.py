"""Whether a restore can work, decided before anything is touched. Pure: the facts are gathered by `survey`.

Each check has a name, an outcome and, unless it is ok, what to do. A failed check stops a restore.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from errors import ErrorRecord, IndexvaultError, from_record
from restore.changes import SchemaChanges
from restore.definition import content
from restore.job import Check, RestoreJob
from restore.limits import Demand, limit_checks
from restore.reading import has_key_order
from restore.secrets import missing_paths, needed_paths
from search.batch import MOST_ACTIONS
from search.schema import Schema, read_schema
from search.statistics import IndexStatistics, ServiceStatistics
from snapshots.manifest import Manifest

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,126}[a-z0-9_])?")
"""Names that an index or alias can have: also not two dashes or underscores in a row. Source: naming rules, 2026-09;
a dash at the end is what the service itself refuses."""

SECONDS_PER_REQUEST = 1.0
"""A guess for batches of a thousand documents and pages of as many; only for telling minutes from hours."""
_BATCH_BYTES = 8_000_000
_PAGE_BYTES = 4_000_000


class Place(msgspec.Struct, frozen=True):
    """What a name stands for on the target: nothing, an index, or an alias and the index behind it."""

    kind: Literal["absent", "index", "alias"]
    index: str | None = None


class Regions(msgspec.Struct, frozen=True):
    """Where the data is and where it goes; None is not known."""

    source: str | None
    store: str | None
    target: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision stands on.

    `definition` is the one that the target would get, with its `schema`; `changes` are from the snapshot's schema to
    the one that documents go into. `present` is the definition of the existing index in modes sync and fill, `held`
    what the index that is written or replaced in place takes up now.
    `missing_maps` and `differing_maps` are synonym maps that the definition names. `denied` is what the target says to
    a caller without the roles.
    """

    job: RestoreJob
    manifest: Manifest
    definition: msgspec.Raw
    preview: bool
    schema: Schema
    changes: SchemaChanges
    tier: str
    regions: Regions
    allow_cross_region: bool
    denied: ErrorRecord | None
    place: Place
    alias_place: Place | None
    present: msgspec.Raw | None
    statistics: ServiceStatistics
    missing_maps: Sequence[str]
    differing_maps: Sequence[str]
    knows_preview: bool
    documents: int
    bytes: int
    held: IndexStatistics | None


class Estimate(msgspec.Struct, frozen=True):
    """Requests to the target, and a rough guess of the seconds that they and the reading take."""

    requests: int
    seconds: float


def checks(facts: Facts) -> list[Check]:
    """Give every check, in the order in which an operator would want to read them."""
    return [
        Check("manifest", "ok", f"{facts.job.reference} is {facts.manifest.format}, its checksum right"),
        *_losses(facts),
        region_check(facts.regions, allowed=facts.allow_cross_region),
        _roles(facts),
        *_name(facts),
        *_alias(facts),
        *_patch(facts),
        *_existing(facts),
        *_synonym_maps(facts),
        *limit_checks(facts.schema, _demand(facts), facts.tier, facts.statistics),
        *_features(facts),
        _estimate(facts),
    ]


def failure(found: Sequence[Check], on: str) -> IndexvaultError | None:
    """Give the error that failed checks come to, of the first one's kind, or None if none failed."""
    failed = [check for check in found if check.outcome == "failed"]
    if not failed:
        return None
    what = "; ".join(f"{check.name}: {check.what}" for check in failed)
    do = " ".join(dict.fromkeys(f"{check.do}." for check in failed if check.do)).removesuffix(".")
    return from_record(ErrorRecord(kind=failed[0].error, what=f"{what}; nothing was touched", on=on, do=do))


def estimate(documents: int, size: int, parallel: int) -> Estimate:
    """Guess what loading and reading back takes."""
    loading = max(math.ceil(documents / MOST_ACTIONS), math.ceil(size / _BATCH_BYTES))
    reading = max(math.ceil(documents / MOST_ACTIONS), math.ceil(size / _PAGE_BYTES)) + 1
    return Estimate(
        requests=loading + reading, seconds=math.ceil((loading + reading) / max(1, parallel)) * SECONDS_PER_REQUEST
    )


def region_check(regions: Regions, *, allowed: bool) -> Check:
    """Check that data stays in its region, or may leave it. `local` is no region."""
    home = regions.source or regions.store
    away = sorted({each for each in (regions.store, regions.target) if each and "local" not in {each, home}} - {home})
    if home is None or not away:
        return Check("region", "ok", f"the data stays in {home or regions.target}")
    if allowed:
        return Check("region", "ok", f"data of {home} goes to {', '.join(away)}, which is allowed")
    return Check(
        "region",
        "failed",
        f"data of {home} would go to {', '.join(away)}",
        "Use --allow-cross-region, or allow_cross_region in the settings, if the data may leave its region",
        "ConflictError",
    )


def is_name(text: str) -> bool:
    """Tell whether the service takes a name for an index or alias."""
    return NAME.fullmatch(text) is not None and "--" not in text and "__" not in text


def _losses(facts: Facts) -> Iterator[Check]:
    lost = facts.manifest.losses
    if not lost:
        yield Check("losses", "ok", "the snapshot is complete")
        return
    lacks = f"the snapshot lacks {', '.join(loss.field for loss in lost)}"
    if not facts.job.accept_loss:
        yield Check(
            "losses",
            "failed",
            lacks,
            "Restore with --accept-loss if the index is of use without them",
            "LossNotAcceptedError",
        )
    elif facts.job.mode == "sync":
        yield Check("losses", "warning", f"{lacks}: documents that are uploaded lose them in the target too")
    else:
        yield Check("losses", "warning", lacks, "Fill these fields from where they came from")


def _roles(facts: Facts) -> Check:
    if facts.denied is None:
        return Check("roles", "ok", "definitions and documents of the target may be written")
    return Check("roles", "failed", facts.denied.what, facts.denied.do, facts.denied.kind)


def _name(facts: Facts) -> Iterator[Check]:
    job, place, target = facts.job, facts.place, f"{facts.job.target_service}/{facts.job.target_index}"
    if not is_name(job.target_index):
        yield Check(
            "name",
            "failed",
            f"the service takes no index name like {job.target_index!r}",
            "Use lower-case letters, digits, single inner dashes and single underscores, at most 128",
            "SettingsError",
        )
        return
    conflict = {
        ("create", "index"): (
            f"an index {target} exists",
            f"Restore under another name (--to {job.target_service}/NAME), or with --mode replace, sync or fill",
        ),
        ("create", "alias"): (
            f"{target} is an alias of {place.index}",
            f"Restore under another name (--to {job.target_service}/NAME), or with --mode replace to swap the alias",
        ),
        ("replace", "index"): (
            f"{target} is a plain index, which can't be swapped",
            "Name an alias, or use --replace-in-place, which deletes the old index before the new one is there",
        ),
    }.get((job.mode, place.kind))
    if conflict is not None and not (job.mode == "replace" and job.in_place):
        yield Check("name", "failed", *conflict, "ConflictError")
    elif place.kind == "absent" and job.mode != "create":
        yield Check(
            "name", "failed", f"there is no {target} to {job.mode}", "Restore with --mode create", "NotFoundError"
        )
    elif job.in_place and place.kind == "alias":
        yield Check("name", "failed", f"{target} is an alias", "Leave out --replace-in-place", "ConflictError")
    else:
        yield Check("name", "ok", f"{target} is {told(place)}, which fits mode {job.mode}")


def told(place: Place) -> str:
    """Say in words what a name stands for."""
    return {"absent": "free", "index": "an index", "alias": f"an alias of {place.index}"}[place.kind]


def _alias(facts: Facts) -> Iterator[Check]:
    job, place = facts.job, facts.alias_place
    if job.alias is None or place is None:
        return
    on = f"{job.target_service}/{job.alias}"
    if not is_name(job.alias):
        yield Check(
            "alias",
            "failed",
            f"the service takes no alias name like {job.alias!r}",
            "Use lower-case letters, digits, single inner dashes and single underscores, at most 128",
            "SettingsError",
        )
    elif place.kind == "index" or job.alias == job.target_index:
        yield Check("alias", "failed", f"{on} names an index", "Choose another name for the alias", "ConflictError")
    elif job.mode in {"sync", "fill"} and place.index != job.target_index:
        yield Check(
            "alias", "failed", f"mode {job.mode} makes no new index for it", "Leave out --alias", "ConflictError"
        )
    else:
        now = f"moves from {place.index}" if place.kind == "alias" else "is made"
        yield Check("alias", "ok", f"{on} {now} once the new index is proved")


def _patch(facts: Facts) -> Iterator[Check]:
    changes = facts.changes
    if facts.job.patch is not None and facts.job.mode in {"sync", "fill"}:
        yield Check("patch", "failed", "a patch needs a new index", "Use --mode create or replace", "ConflictError")
        return
    if changes.impossible:
        yield Check(
            "patch" if facts.job.patch is not None else "fields",
            "failed",
            "; ".join(f"{path}: {reason}" for path, reason in changes.impossible),
            "Change the patch: add a field under another name, which will be empty"
            if facts.job.patch is not None
            else "Use --mode replace, which makes a new index",
            "SettingsError" if facts.job.patch is not None else "ConflictError",
        )
        return
    if facts.job.patch is None or facts.job.mode in {"sync", "fill"}:
        return
    told = [
        *(f"{path} is dropped" for path in changes.dropped),
        *(f"{path} is new and will be empty" for path in changes.added),
        *(f"{path} is rounded" for path in changes.rounded),
    ]
    yield Check("patch", "warning" if told else "ok", "; ".join(told) or "documents go in as they are")


def _existing(facts: Facts) -> Iterator[Check]:
    """Check the definition of an index that stays: whether documents fit it."""
    if facts.present is None or facts.changes.impossible:
        return
    changes, may_add = facts.changes, facts.job.update_definition
    if facts.job.mode == "sync" and not has_key_order(read_schema(facts.present, on="definition")):
        yield Check(
            "key_order",
            "failed",
            "its key can't be filtered and sorted by, so documents that are too many can't be found",
            "Use --mode replace, or fill",
            "ConflictError",
        )
        return
    too_many = changes.added if facts.job.mode == "sync" else []
    misfits = [*too_many, *([] if may_add else changes.dropped)]
    if misfits:
        yield Check(
            "definition",
            "failed",
            f"the index has another schema: {', '.join(misfits)}",
            "Use --mode replace, which makes a new index"
            + ("" if too_many else ", or --update-definition, which adds the missing fields"),
            "ConflictError",
        )
        return
    before, after = content(facts.present), content(facts.definition)
    members = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if not members:
        yield Check("definition", "ok", "the index has the snapshot's definition")
    elif may_add:
        yield Check(
            "definition", "ok", f"{', '.join(members)} will be as in the snapshot, as far as the service allows"
        )
    else:
        yield Check(
            "definition",
            "warning",
            f"{', '.join(members)} differ from the snapshot and stay as they are",
            "Use --update-definition to have them as in the snapshot",
        )


def _synonym_maps(facts: Facts) -> Iterator[Check]:
    if facts.differing_maps:
        yield Check(
            "synonym_map_contents",
            "failed",
            f"synonym maps {', '.join(facts.differing_maps)} exist on the target and say something else",
            "Rename or delete them there, if nothing else uses them",
            "ConflictError",
        )
    elif facts.missing_maps:
        yield Check("synonym_map_contents", "ok", f"synonym maps {', '.join(facts.missing_maps)} will be made")


def _features(facts: Facts) -> Iterator[Check]:
    members = content(facts.definition)
    if facts.preview and not facts.knows_preview:
        yield Check(
            "api_version",
            "failed",
            "the definition has members that only a preview api-version knows, and the target does not know that one",
            "Remove them with a patch, or use a service that has the preview",
            "RefusedError",
        )
    elif facts.preview:
        yield Check("api_version", "warning", "the definition has members that only a preview api-version knows")
    if "encryptionKey" in members:
        failed = facts.tier == "free"
        yield Check(
            "encryption",
            "failed" if failed else "warning",
            "the index is encrypted with a customer-managed key",
            "Choose a billable tier" if failed else "Give the target service's identity access to that key first",
            "RefusedError" if failed else "",
        )
    if "semantic" in members and facts.tier == "free":
        yield Check("semantic", "warning", "semantic ranking is limited on the free tier")
    if members.get("permissionFilterOption") == "enabled" or members.get("purviewEnabled"):
        yield Check(
            "protection",
            "warning",
            "documents are protected one by one: they can be compared only by a caller that may read them all",
            "Use an identity that may read elevated",
        )
    if facts.present is None or facts.job.update_definition:
        yield from _secrets(facts)


def _secrets(facts: Facts) -> Iterator[Check]:
    missing, needed = missing_paths(facts.definition), needed_paths(facts.definition)
    entry = f'an overlay of the settings that has "indexes/{facts.job.index}"'
    if needed:
        yield Check(
            "secrets",
            "failed",
            f"no snapshot holds secrets, and without these no index can be made: {', '.join(needed)}",
            f"Give them with --overlay: {entry}; or take what needs them out with a patch",
            "SettingsError",
        )
    elif missing:
        yield Check(
            "secrets",
            "warning",
            f"no snapshot holds secrets; these are missing: {', '.join(missing)}",
            f"Give them with --overlay: {entry}; or set them again on the restored index",
        )


def _estimate(facts: Facts) -> Check:
    guess = estimate(facts.documents, facts.bytes, facts.job.parallel)
    return Check(
        "estimate",
        "ok",
        f"{facts.documents:,} documents, {facts.bytes:,} bytes, about {guess.requests:,} requests and"
        f" {max(1, math.ceil(guess.seconds / 60))} min at {SECONDS_PER_REQUEST:g} s a request",
    )


def _demand(facts: Facts) -> Demand:
    job = facts.job
    is_new = job.mode in {"create", "replace"}
    adds_alias = job.alias is not None and facts.alias_place is not None and facts.alias_place.kind == "absent"
    documents, size = facts.documents, facts.bytes
    if job.keys:
        size = size * documents // max(1, facts.manifest.counts.documents)
    if job.filter is not None or (job.keys and not is_new):
        # How many there will be more is not known before they are looked for.
        documents = size = 0
    if facts.held is not None:
        documents = max(0, documents - facts.held.document_count)
        size = max(0, size - facts.held.storage_size)
    return Demand(
        # In place too: the definition is tried on an empty index beside the old one.
        indexes=int(is_new),
        aliases=int(adds_alias),
        synonym_maps=len(facts.missing_maps),
        documents=documents,
        bytes=size,
    )
