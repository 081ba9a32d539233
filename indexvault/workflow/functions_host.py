"""The host of workflows in Azure: Durable Functions runs the same activities and workflows as the embedded engine.

The platform keeps the history, retries the activities of a lost worker, and scales out. The activities' resources are
opened once a process, at the first call.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import azure.durable_functions as df
import msgspec

from indexvault.clients import Clients
from indexvault.errors import IndexvaultError, SettingsError
from indexvault.model import Clock
from indexvault.settings.host_storage import HOST_STORAGE, stores_of_host
from indexvault.settings.source import load_settings
from indexvault.workflow.activity import Activity, Resources, Workflow
from indexvault.workflow.failures import ActivityFailedError
from indexvault.workflow.payloads import orchestrator, perform
from indexvault.workflow.progress import reported

APP = "WEBSITE_SITE_NAME"
"""Set by the platform to the app's name. Source: Environment variables and app settings reference (App Service)."""
_MOST_OF_NAME = 100
_LOG = logging.getLogger(__name__)


class FunctionsHost:
    """What the functions of one process share.

    Settings are read when they are first needed, so that an app with broken settings starts, reports them in each
    response and is unhealthy, instead of not starting.
    """

    def __init__(
        self, environment: Mapping[str, str], *, clock: Clock = lambda: datetime.now(UTC), rng: random.Random
    ) -> None:
        self.environment = environment
        self._clock = clock
        self._rng = rng
        self._registered: set[str] = set()

    @cached_property
    def resources(self) -> Resources:
        """What activities work with. Raises SettingsError if the settings can't be used."""
        settings = load_settings(self.environment)
        for name in stores_of_host(settings, self.environment):
            _LOG.warning(
                "store %s is in the app's own storage account (%s): give it another one", name, HOST_STORAGE
            )  # fmt: skip
        return Resources(
            clients=Clients(settings, environment=self.environment, rng=self._rng),
            clock=self._clock,
            rng=self._rng,
            report=lambda _progress: None,
            app=self.environment.get(APP, "").strip()[:_MOST_OF_NAME],
        )

    def register(
        self,
        blueprint: df.Blueprint,
        activities: Iterable[Activity[Any, Any]],
        workflows: Iterable[Workflow[Any, Any]],
    ) -> None:
        """Register activities and workflows as functions of a blueprint, except those that another one registered."""
        for activity in activities:
            if activity.name not in self._registered:
                self._registered.add(activity.name)
                blueprint.activity_trigger(input_name="payload", activity=activity.name)(self._runner(activity))
        for workflow in workflows:
            if workflow.name not in self._registered:
                self._registered.add(workflow.name)
                run = orchestrator(workflow)
                blueprint.orchestration_trigger(context_name="context", orchestration=workflow.name)(run)

    def _runner(self, activity: Activity[Any, Any]) -> Callable[[Any], Awaitable[Any]]:
        async def run(payload: Any) -> Any:
            given = msgspec.convert(payload, activity.input_type)
            try:
                known = self.resources
            except SettingsError as error:
                raise ActivityFailedError(error) from None
            try:
                async with reported(known, activity, given) as resources:
                    return await perform(activity, resources, payload)
            except IndexvaultError as error:
                raise ActivityFailedError(error) from None

        run.__name__ = activity.name
        # The runtime reads annotations as binding types, and Any is not one.
        run.__annotations__ = {}
        return run
