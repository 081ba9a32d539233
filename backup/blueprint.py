"""The blueprint of backups and maintenance: timers, the endpoint, orchestrations and activities."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping

import azure.durable_functions as df
import azure.functions as func

from backup.backups import ENDPOINTS
from indexvault.api.endpoint import register_endpoints
from indexvault.backup import comparison
from indexvault.backup.run import ACTIVITIES as RUN_ACTIVITIES
from indexvault.backup.run import RUN_BACKUP
from indexvault.backup.service_objects import BACK_UP_SERVICE
from indexvault.backup.workflow import ACTIVITIES, BACK_UP_INDEX
from indexvault.errors import IndexvaultError
from indexvault.maintenance import deletion_run, pruning, verification
from indexvault.maintenance.forget_runs import forget_old_runs, kept_days
from indexvault.maintenance.pass_over import passed_over
from indexvault.maintenance.retention import MAINTAIN
from indexvault.maintenance.schedule import tick
from indexvault.maintenance.scrub import ACTIVITIES as SCRUB_ACTIVITIES
from indexvault.maintenance.scrub import VERIFY_SERVICE, scrub_run
from indexvault.recovery import drift_run, drift_schedule, drill, failover_run, follow_run
from indexvault.recovery.drift_schedule import tick_drifts
from indexvault.recovery.drill_schedule import tick_drills
from indexvault.recovery.follow_schedule import tick_following
from indexvault.recovery.pair_schedule import tick_pairs
from indexvault.settings.schedule import shortest_interval
from indexvault.settings.source import load_settings
from indexvault.status.notices import NoticeRecords
from indexvault.status.watch_over import watch_over
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.functions_host import FunctionsHost

TICK = "INDEXVAULT_TICK"
TICK_AT = "0 */5 * * * *"
"""The default of the setting TICK: the host drops a function whose schedule names a missing setting. Source: issue
10346 of azure-functions-host."""
EVERY_MINUTE = "0 * * * * *"
FORGET_AT = "0 30 3 * * *"
VERIFY_AT = "0 0 4 * * 1"
"""Monday morning: `indexvault.maintenance.scrub` counts weeks from Monday."""
_LOG = logging.getLogger(__name__)


type TimerFunction = Callable[[func.TimerRequest, df.DurableFunctionsClient], Awaitable[None]]


def backup_blueprint(host: FunctionsHost) -> df.Blueprint:
    """Return the blueprint."""
    blueprint = df.Blueprint()
    host.register(
        blueprint,
        [
            *ACTIVITIES,
            *RUN_ACTIVITIES,
            *SCRUB_ACTIVITIES,
            *verification.ACTIVITIES,
            *pruning.ACTIVITIES,
            *deletion_run.ACTIVITIES,
            *comparison.ACTIVITIES,
            *drift_run.OWN_ACTIVITIES,
            *drill.OWN_ACTIVITIES,
            *follow_run.OWN_ACTIVITIES,
            *drift_schedule.OWN_ACTIVITIES,
            *failover_run.OWN_ACTIVITIES,
        ],
        [
            BACK_UP_INDEX,
            BACK_UP_SERVICE,
            RUN_BACKUP,
            MAINTAIN,
            VERIFY_SERVICE,
            *verification.WORKFLOWS,
            *pruning.WORKFLOWS,
            *deletion_run.WORKFLOWS,
            *comparison.WORKFLOWS,
            *drift_run.WORKFLOWS,
            *drill.WORKFLOWS,
            *follow_run.WORKFLOWS,
            *drift_schedule.WORKFLOWS,
            *failover_run.WORKFLOWS,
        ],
    )
    register_endpoints(blueprint, host, ENDPOINTS)

    tick_at = tick_schedule(host.environment)
    _on_schedule(blueprint, tick_at, start_due_policies(host))
    _on_schedule(blueprint, FORGET_AT, forget_runs(host))
    _on_schedule(blueprint, VERIFY_AT, verify_snapshots(host))
    return blueprint


def tick_schedule(environment: Mapping[str, str]) -> str:
    """Return when to look for due policies: as the setting says, else every five minutes, or every minute if need be.

    Settings that can't be used are told elsewhere. A setting that looks more rarely than a policy is due is logged.
    """
    try:
        policies = load_settings(environment).policies
    except IndexvaultError:
        policies = {}
    often = [name for name, each in policies.items() if shortest_interval(each.schedule) < shortest_interval(TICK_AT)]
    given = environment.get(TICK, "").strip()
    if not given:
        return EVERY_MINUTE if often else TICK_AT
    try:
        rare = [name for name in often if shortest_interval(policies[name].schedule) < shortest_interval(given)]
    except IndexvaultError:
        rare = []
    if rare:
        _LOG.warning("%s looks for due policies more rarely than %s are due", TICK, ", ".join(sorted(rare)))
    return f"%{TICK}%"


def start_due_policies(host: FunctionsHost) -> TimerFunction:
    """Return the timer function that starts due policies, then looks at everything and tells of trouble."""
    records = NoticeRecords()

    async def start_due_policies(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
        if timer.past_due:
            _LOG.info("this tick is late")
        with _logged_errors():
            resources = host.resources
            troubles: dict[str, BaseException] = {}
            try:
                resting = await tick_pairs(resources)
                started = await tick(resources, DurableEngine(client), backup_workflow=RUN_BACKUP.name, resting=resting)
                started += await tick_drills(resources, DurableEngine(client))
                started += await tick_following(resources, DurableEngine(client))
                started += await tick_drifts(resources, DurableEngine(client))
                _LOG.info("tick: %d runs started", len(started))
            except Exception as error:
                troubles["due policies"] = error
                raise
            finally:
                await watch_over(resources, records, troubles)

    return start_due_policies


def forget_runs(host: FunctionsHost) -> TimerFunction:
    """Return the timer function that forgets old runs."""

    async def forget_runs(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:  # noqa: ARG001 - bound by name
        with _logged_errors():
            await forget_old_runs(host.resources, DurableEngine(client), keep=kept_days(host.environment))

    return forget_runs


def verify_snapshots(host: FunctionsHost) -> TimerFunction:
    """Return the timer function that verifies the slices of snapshots that are due, for every service."""

    async def verify_snapshots(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
        if timer.past_due:
            _LOG.info("this verification is late; it makes up for what it missed")
        with _logged_errors():
            for name in host.resources.clients.settings.services:
                with passed_over(f"verification of the snapshots of {name}"):
                    order = RunOrder(service=name, run=scrub_run(name, host.resources.clock()))
                    await DurableEngine(client).start(VERIFY_SERVICE.name, order)

    return verify_snapshots


def _on_schedule(blueprint: df.Blueprint, schedule: str, function: TimerFunction) -> None:
    bound = blueprint.durable_client_input(client_name="client")(function)
    blueprint.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=False, use_monitor=True)(bound)


@contextlib.contextmanager
def _logged_errors() -> Iterator[None]:
    """Log an IndexvaultError; the platform reports any other error as a failure."""
    try:
        yield
    except IndexvaultError as error:
        _LOG.error("%s", error)
