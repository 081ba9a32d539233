"""Forget old runs: the engine's history of them, and our own records."""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from indexvault.errors import SettingsError
from indexvault.maintenance.pass_over import passed_over
from indexvault.maintenance.schedule import Due, last_runs, policy_run
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.lost_locks import forget_lost
from indexvault.workflow.reports import remove_report
from indexvault.workflow.runs import Runs

VARIABLE = "INDEXVAULT_HISTORY_DAYS"
"""The environment variable that holds how many days runs are kept."""
_DEFAULT_DAYS = 30
_MOST_DIGITS = 5
_TIME_LENGTH = len("20261120T020000Z")
_LOG = logging.getLogger(__name__)


def kept_days(environment: Mapping[str, str]) -> timedelta:
    """Return how long runs are kept: 30 days unless the environment says otherwise.

    Raises SettingsError if the variable is not a whole number of days.
    """
    text = environment.get(VARIABLE, "").strip() or str(_DEFAULT_DAYS)
    if not (text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) > 0):
        raise SettingsError("expected a whole number of days, 1 or more", on=VARIABLE, do=f"Set it to {_DEFAULT_DAYS}")
    return timedelta(days=int(text))


def forgettable(names: Iterable[str], unfinished: Collection[str], before: datetime, now: datetime) -> list[str]:
    """Return the names of the runs to forget: those that started before a time.

    Unfinished runs stay, and so does the newest run of each policy, which tells whether the policy is due.
    """
    known = list(names)
    newest = {policy_run(Due(policy, scheduled)) for policy, scheduled in last_runs(known, now).items()}
    limit = f"{before:%Y%m%dT%H%M%SZ}"
    return [name for name in known if name[:_TIME_LENGTH] < limit and name not in newest and name not in unfinished]


async def forget_old_runs(resources: Resources, engine: DurableEngine, *, keep: timedelta) -> int:
    """Forget the runs older than `keep` and return how many records were removed. A store that fails is logged.

    Raises UnreachableError if the engine does not purge its history.
    """
    before = resources.clock() - keep
    forgotten = 0
    for name in resources.clients.settings.stores:
        with passed_over(f"forgetting old runs in store {name}"):
            forgotten += await _forget_in(resources, resources.clients.store(name), keep)
    await engine.forget(before)
    _LOG.info("%d runs from before %s are forgotten", forgotten, before)
    return forgotten


async def _forget_in(resources: Resources, store: Store, keep: timedelta) -> int:
    now = resources.clock()
    await store.prepare()
    runs = Runs(store.runs)
    unfinished = {record.run for record in await runs.unfinished()}
    names = forgettable(await runs.names(), unfinished, now - keep, now)
    forgotten = 0
    for run in names:
        with passed_over(f"forgetting run {run}"):
            await _clear_after(resources, store, runs, run)
            await runs.forget(run)
            forgotten += 1
    with passed_over("forgetting lost locks"):
        await forget_lost(store.runs, now - keep)
    return forgotten


async def _clear_after(resources: Resources, store: Store, runs: Runs, run: str) -> None:
    """Remove the reports of a run, and the checkpoints that it left behind, in the stores that its record names."""
    services = resources.clients.settings.services
    for record in await runs.read_all([run]):
        for item in record.items:
            await Checkpoints(store.runs, item.run).clear()
            await remove_report(store.runs, item.run)
            if item.index.service in services:
                await Checkpoints(resources.clients.store_of(item.index.service).runs, item.run).clear()
