"""Backups as Azure Functions: the timer, the endpoint, the workflows and their steps."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator

import azure.durable_functions as df
import azure.functions as func

from api.endpoint import register_endpoints
from backup.forget import forget_old_runs, kept_days
from backup.policies import tick
from backup.requests import ENDPOINTS
from backup.run import RUN_BACKUP
from backup.run import STEPS as RUN_STEPS
from backup.service_objects import BACK_UP_SERVICE
from backup.upkeep import LOOK_AFTER
from backup.verification import STEPS as VERIFICATION_STEPS
from backup.verification import VERIFY_SERVICE, verification_run
from backup.workflow import BACK_UP_INDEX, STEPS
from engine.conduct import RunOrder
from engine.durable import DurableEngine
from engine.functions import FunctionsHome
from errors import IndexvaultError

TICK = "INDEXVAULT_TICK"
TICK_AT = "0 */5 * * * *"
"""Where the setting is not there: the host would leave out a function that names one it does not have. Source:
azure-functions-host 10346."""
FORGET_AT = "0 30 3 * * *"
VERIFY_AT = "0 0 4 * * 1"
"""Monday morning: `backup.verification` counts its turns in weeks from Monday."""
_LOG = logging.getLogger(__name__)


type Timed = Callable[[func.TimerRequest, df.DurableFunctionsClient], Awaitable[None]]


def backup_blueprint(home: FunctionsHome) -> df.Blueprint:
    """Give the blueprint."""
    blueprint = df.Blueprint()
    home.register(
        blueprint,
        [*STEPS, *RUN_STEPS, *VERIFICATION_STEPS],
        [BACK_UP_INDEX, BACK_UP_SERVICE, RUN_BACKUP, LOOK_AFTER, VERIFY_SERVICE],
    )
    register_endpoints(blueprint, home, ENDPOINTS)

    tick_at = f"%{TICK}%" if home.environment.get(TICK, "").strip() else TICK_AT
    _on_schedule(blueprint, tick_at, start_due_policies(home))
    _on_schedule(blueprint, FORGET_AT, forget_runs(home))
    _on_schedule(blueprint, VERIFY_AT, verify_snapshots(home))
    return blueprint


def start_due_policies(home: FunctionsHome) -> Timed:
    """Give the function of the tick."""

    async def start_due_policies(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
        if timer.past_due:
            _LOG.info("this tick comes late")
        with _said():
            started = await tick(home.resources, DurableEngine(client))
            _LOG.info("tick: %d runs started", len(started))

    return start_due_policies


def forget_runs(home: FunctionsHome) -> Timed:
    """Give the function that forgets old runs."""

    async def forget_runs(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:  # noqa: ARG001 - bound by name
        with _said():
            await forget_old_runs(home.resources, DurableEngine(client), keep=kept_days(home.environment))

    return forget_runs


def verify_snapshots(home: FunctionsHome) -> Timed:
    """Give the function that verifies what is due of every service's snapshots."""

    async def verify_snapshots(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
        if timer.past_due:
            _LOG.info("this verification comes late; what it missed is made up for")
        with _said():
            for name in home.resources.connections.settings.services:
                order = RunOrder(service=name, run=verification_run(name, home.resources.clock()))
                await DurableEngine(client).start(VERIFY_SERVICE.name, order)

    return verify_snapshots


def _on_schedule(blueprint: df.Blueprint, schedule: str, function: Timed) -> None:
    bound = blueprint.durable_client_input(client_name="client")(function)
    blueprint.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=False, use_monitor=True)(bound)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Log an error of ours in its own words; anything else is for the platform to show as a failure."""
    try:
        yield
    except IndexvaultError as error:
        _LOG.error("%s", error)
