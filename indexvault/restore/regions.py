"""Check whether data stays in its region."""

import msgspec

from indexvault.restore.checks import Check


class Regions(msgspec.Struct, frozen=True):
    """The regions of the source, its store and the target; None if not known."""

    source: str | None
    store: str | None
    target: str


def region_check(regions: Regions, *, allowed: bool) -> Check:
    """Check that data stays in its region or may leave it. `local` is exempt from region checks."""
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
