"""Check whether data stays in its region, and in those that policies keep it in.

Every restore, move, repair from another service, drill and failover comes by here.
"""

import msgspec

from indexvault.restore.checks import Check
from indexvault.settings.residency import DO, Residency, keeping_out


class Regions(msgspec.Struct, frozen=True, kw_only=True):
    """The regions of the source, its store and the target, None if not known; and what policies say of the source."""

    source: str | None
    store: str | None
    target: str
    kept: list[Residency]


def region_check(regions: Regions, *, allowed: bool) -> Check:
    """Check that data stays in its region or may leave it. `local` is exempt from region checks.

    What a policy keeps in regions may not leave these, whatever else is allowed, and `local` is a region then.
    """
    out = keeping_out(regions.kept, (regions.store, regions.target))
    if out is not None:
        return Check("region", "failed", out[0].refusal(out[1]), DO, "ConflictError")
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
