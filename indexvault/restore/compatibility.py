"""Check whether definition and documents fit the target: patch, existing index, synonym maps, features, secrets."""

from collections.abc import Iterator

from indexvault.restore.checks import Check
from indexvault.restore.secrets import REDIRECT, missing_paths, needed_paths
from indexvault.restore.target_facts import TargetFacts
from indexvault.search.definition_content import content
from indexvault.search.documents import ELEVATED_ROLE
from indexvault.search.schema import read_schema


def patch_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check what a changed definition does to the documents."""
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


def existing_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check whether documents fit the definition of an existing index."""
    if facts.present is None or facts.changes.impossible:
        return
    changes, may_add = facts.changes, facts.job.update_definition
    if facts.job.mode == "sync" and not read_schema(facts.present, on="definition").has_key_order:
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


def synonym_map_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check the synonym maps that the definition names."""
    if facts.differing_maps:
        yield Check(
            "synonym_map_contents",
            "failed",
            f"synonym maps {', '.join(facts.differing_maps)} exist on the target and differ",
            "Rename or delete them there, if nothing else uses them",
            "ConflictError",
        )
    elif facts.missing_maps:
        yield Check("synonym_map_contents", "ok", f"synonym maps {', '.join(facts.missing_maps)} will be made")


def feature_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check for features that the target may lack."""
    members = content(facts.definition)
    if "semantic" in members and facts.tier == "free":
        yield Check("semantic", "warning", "semantic ranking is limited on the free tier")
    if members.get("permissionFilterOption") == "enabled" or members.get("purviewEnabled"):
        yield Check(
            "protection",
            "warning",
            "documents are protected one by one: they can be compared only by a caller that may read them all",
            f"Give the identity {ELEVATED_ROLE}",
        )
    if facts.present is None or facts.job.update_definition:
        yield from secret_checks(facts)


def secret_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check that no secret is missing, and that those of the overlay go to their own hosts."""
    if facts.misdirected:
        yield Check("secrets", "failed", "; ".join(facts.misdirected), REDIRECT, "SettingsError")
        return
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
