"""Check whether the target can create the definition, and delete what it replaces.

Some definitions can be read and not created. Each check has the patch with which it would not fail.
"""

from collections.abc import Iterator
from typing import Any

from indexvault.restore.checks import Check
from indexvault.restore.patch import patch_between
from indexvault.restore.target_facts import TargetFacts
from indexvault.search.definition_content import content
from indexvault.search.transport import PREVIEW

_CLASSIC = "#Microsoft.Azure.Search.ClassicSimilarity"
_USE_PATCH = "--dry-run --write-patch FILE writes a patch that does so; restore with --patch FILE"


def creation_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check for what an existing index may have and a new one can't."""
    yield from _version_checks(facts)
    if facts.job.mode in {"create", "replace"}:
        yield from _similarity_checks(facts)
    yield from _encryption_checks(facts)


def deletion_checks(facts: TargetFacts) -> Iterator[Check]:
    """Check that no alias keeps the old index from being deleted. Source: Create an index alias, 2026-09."""
    job, doomed, swapped = facts.job, facts.resolved.index, job_alias(facts)
    if job.in_place and facts.resolved.kind == "index":
        swapped = None
        do = "Restore to the alias with --mode replace, which swaps it, or use --mode sync"
    elif job.delete_old:
        if job.mode != "replace" or facts.resolved.kind != "alias":
            doomed = facts.resolved_alias.index if facts.resolved_alias is not None else None
        do = "Point them elsewhere first, or leave out --delete-old"
    else:
        return
    others = sorted(alias.name for alias in facts.aliases if doomed in alias.indexes and alias.name != swapped)
    if doomed is not None and others:
        yield Check(
            "aliases",
            "failed",
            f"{', '.join(others)} lead to {doomed}, and the service does not delete an index that an alias leads to",
            do,
            "ConflictError",
        )


def job_alias(facts: TargetFacts) -> str | None:
    """Return the alias that the restore swaps, if it does."""
    swaps = facts.job.mode == "replace" and facts.resolved.kind == "alias"
    return facts.job.target_index if swaps else facts.job.alias


def _version_checks(facts: TargetFacts) -> Iterator[Check]:
    if not facts.preview:
        return
    definition = facts.manifest.definition
    version = definition.fullest.api_version
    why = (
        f"the index could be read in api-version {version} only"
        if definition.needs_preview
        else f"the definition has members that only a preview api-version knows ({version})"
    )
    if facts.knows_preview:
        yield Check("api_version", "warning", f"{why}: the target is asked in {PREVIEW}, which it knows")
        return
    patch: dict[str, Any] | None = None
    if not definition.needs_preview:
        patch = patch_between(content(definition.fullest.body), content(definition.stable.body))
        if "permissionFilterOption" in patch or "purviewEnabled" in patch:
            why += "; without them every document is visible to every caller"
    do = f"Use a service that knows {PREVIEW}" + (f", or take them out: {_USE_PATCH}" if patch else "")
    yield Check(
        "api_version", "failed", f"{why}, and the target does not know {PREVIEW}", do, "RefusedError", patch=patch
    )


def _similarity_checks(facts: TargetFacts) -> Iterator[Check]:
    similarity = content(facts.definition).get("similarity") or {}
    if similarity.get("@odata.type") == _CLASSIC:
        yield Check(
            "similarity",
            "failed",
            "the index ranks by ClassicSimilarity, which only indexes made before July 2020 can have",
            f"Let the new one rank by BM25, which orders results otherwise: {_USE_PATCH}",
            "RefusedError",
            patch={"similarity": {"@odata.type": "#Microsoft.Azure.Search.BM25Similarity"}},
        )


def _encryption_checks(facts: TargetFacts) -> Iterator[Check]:
    if "encryptionKey" not in content(facts.definition):
        return
    what = "the index is encrypted with a customer-managed key"
    if facts.tier == "free":
        do = f"Choose a billable tier, or leave the key out: {_USE_PATCH}"
        yield Check("encryption", "failed", what, do, "RefusedError", patch={"encryptionKey": None})
    else:
        yield Check("encryption", "warning", what, "Give the target service's identity access to that key first")
