"""One run: every check in its order, each with a time limit, then the removal of all that was made."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from indexvault.errors import IndexvaultError
from indexvault.snapshots.store import Store
from live.clean_up import CleanedUp, clean_service, clean_store
from live.report import Report, Row
from live.seen import Seen, not_settled
from live.site import RefusedSetupError, Site
from live.table import Assumption

CHECK_SECONDS = 1800.0
"""The longest one check may take."""

type Tell = Callable[[str], None]


async def run_checks(site: Site, store: Store, assumptions: Sequence[Assumption], tell: Tell) -> Report:
    """Run the checks and return the report. What was made is removed, however the checks end."""
    started = site.clock()
    rows: list[Row] = []
    cleaned = CleanedUp(indexes=[], blobs=0, kept=[])
    try:
        for assumption in assumptions:
            if assumption.check is not None:
                row = await _row(site, assumption)
                rows.append(row)
                tell(f"{row.verdict:>12}  {row.name}: {row.seen}")
    finally:
        cleaned = await asyncio.shield(_clean(site, store, started))
        tell(f"removed {len(cleaned.indexes)} indexes and {cleaned.blobs} blobs")
    return Report(
        run=site.run,
        endpoint=site.wire.endpoint,
        started=started,
        finished=site.clock(),
        requests=site.wire.requests,
        rows=rows,
        cleaned=cleaned,
    )


async def _row(site: Site, assumption: Assumption) -> Row:
    began = time.monotonic()
    seen = await _seen(site, assumption)
    return Row(
        name=assumption.name,
        assumption=assumption.says,
        expected=assumption.expected,
        seen=seen.text,
        verdict=seen.verdict,
        if_wrong=assumption.if_wrong,
        seconds=round(time.monotonic() - began, 1),
    )


async def _seen(site: Site, assumption: Assumption) -> Seen:
    assert assumption.check is not None  # noqa: S101 - only such are run
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await assumption.check(site)
    except (RefusedSetupError, ConnectionError) as error:
        return not_settled(str(error))
    except TimeoutError:
        return not_settled(f"it took more than {CHECK_SECONDS / 60:.0f} minutes")
    except Exception as error:  # noqa: BLE001 - a check that fails must not keep the others from running
        return Seen(f"the check itself failed: {type(error).__name__}: {str(error)[:200]}", "crashed")


async def _clean(site: Site, store: Store, since: datetime) -> CleanedUp:
    """Remove what this run has made; what can't be removed is named."""
    kept: list[str] = []
    indexes = CleanedUp(indexes=[], blobs=0, kept=[])
    blobs = indexes
    try:
        indexes = await clean_service(site.wire, f"{site.prefix}{site.run}-", site.record.read(site.wire.endpoint))
    except ConnectionError as error:
        kept.append(f"indexes named {site.prefix}{site.run}-… ({error})")
    try:
        blobs = await clean_store(store, [site.tool.service] if site.tool is not None else [], since)
    except IndexvaultError as error:
        kept.append(f"snapshots of {site.tool.service} ({error.what})")
    return CleanedUp(indexes=indexes.indexes, blobs=blobs.blobs, kept=[*kept, *indexes.kept, *blobs.kept])
