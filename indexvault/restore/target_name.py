"""Check the names of a restore: what they stand for, whether the service takes them, whether the mode fits."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from indexvault.model import is_index_name
from indexvault.restore.checks import Check
from indexvault.restore.job import RestoreJob


class ResolvedName(msgspec.Struct, frozen=True):
    """What a name stands for on the target: nothing, an index, or an alias and the index behind it."""

    kind: Literal["absent", "index", "alias"]
    index: str | None = None


def describe(resolved: ResolvedName) -> str:
    """Return in words what a name stands for."""
    return {"absent": "free", "index": "an index", "alias": f"an alias of {resolved.index}"}[resolved.kind]


def name_checks(job: RestoreJob, resolved: ResolvedName) -> Iterator[Check]:
    """Check the name that documents go to."""
    target = f"{job.target_service}/{job.target_index}"
    if not is_index_name(job.target_index):
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
            f"{target} is an alias of {resolved.index}",
            f"Restore under another name (--to {job.target_service}/NAME), or with --mode replace to swap the alias",
        ),
        ("replace", "index"): (
            f"{target} is a plain index, which can't be swapped",
            "Name an alias, or use --replace-in-place, which deletes the old index before the new one is there",
        ),
    }.get((job.mode, resolved.kind))
    if conflict is not None and not (job.mode == "replace" and job.in_place):
        yield Check("name", "failed", *conflict, "ConflictError")
    elif resolved.kind == "absent" and job.mode != "create":
        yield Check(
            "name", "failed", f"there is no {target} to {job.mode}", "Restore with --mode create", "NotFoundError"
        )
    elif job.in_place and resolved.kind == "alias":
        yield Check("name", "failed", f"{target} is an alias", "Leave out --replace-in-place", "ConflictError")
    else:
        yield Check("name", "ok", f"{target} is {describe(resolved)}, which fits mode {job.mode}")


def alias_checks(job: RestoreJob, resolved: ResolvedName | None) -> Iterator[Check]:
    """Check the alias that is to point at the new index, and what it stands for now."""
    if job.alias is None or resolved is None:
        return
    on = f"{job.target_service}/{job.alias}"
    if not is_index_name(job.alias):
        yield Check(
            "alias",
            "failed",
            f"the service takes no alias name like {job.alias!r}",
            "Use lower-case letters, digits, single inner dashes and single underscores, at most 128",
            "SettingsError",
        )
    elif resolved.kind == "index" or job.alias == job.target_index:
        yield Check("alias", "failed", f"{on} names an index", "Choose another name for the alias", "ConflictError")
    elif job.mode in {"sync", "fill"} and resolved.index != job.target_index:
        yield Check(
            "alias", "failed", f"mode {job.mode} creates no new index for it", "Leave out --alias", "ConflictError"
        )
    else:
        now = f"moves from {resolved.index}" if resolved.kind == "alias" else "is created"
        yield Check("alias", "ok", f"{on} {now} once the new index is proved")
