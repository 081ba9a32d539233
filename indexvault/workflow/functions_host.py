"""The host of workflows in Azure: Durable Functions calls the very steps and workflows that the embedded engine runs.

The platform keeps the history, retries what a lost worker was doing, and scales out; which step runs where is its
affair. What the steps work with is opened once a process, at the first call.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import azure.durable_functions as df
import msgspec

from indexvault.clients import Clients
from indexvault.errors import SettingsError
from indexvault.model import Clock
from indexvault.settings.load import load_settings
from indexvault.workflow.activity import Activity, Resources, Workflow
from indexvault.workflow.failures import ActivityFailedError
from indexvault.workflow.payloads import orchestrator, perform
from indexvault.workflow.progress import reported


class FunctionsHost:
    """What the functions of one process share.

    Settings are read when they are first needed, so that an app with broken settings starts, says so in each answer and
    is unhealthy, instead of not being there at all.
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
        """What steps work with. Raises SettingsError if the settings can't be used."""
        settings = load_settings(self.environment)
        return Resources(
            clients=Clients(settings, environment=self.environment, rng=self._rng),
            clock=self._clock,
            rng=self._rng,
            report=lambda _progress: None,
        )

    def register(
        self, blueprint: df.Blueprint, steps: Iterable[Activity[Any, Any]], workflows: Iterable[Workflow[Any, Any]]
    ) -> None:
        """Make steps and workflows functions of a blueprint; what another blueprint has registered is left out."""
        for step in steps:
            if step.name not in self._registered:
                self._registered.add(step.name)
                blueprint.activity_trigger(input_name="payload", activity=step.name)(self._activity(step))
        for workflow in workflows:
            if workflow.name not in self._registered:
                self._registered.add(workflow.name)
                run = orchestrator(workflow)
                blueprint.orchestration_trigger(context_name="context", orchestration=workflow.name)(run)

    def _activity(self, step: Activity[Any, Any]) -> Callable[[Any], Awaitable[Any]]:
        async def activity(payload: Any) -> Any:
            given = msgspec.convert(payload, step.input_type)
            try:
                known = self.resources
            except SettingsError as error:
                raise ActivityFailedError(error) from None
            async with reported(known, step, given) as resources:
                return await perform(step, resources, payload)

        activity.__name__ = step.name
        # The runtime reads annotations as binding types, and Any is none.
        activity.__annotations__ = {}
        return activity
