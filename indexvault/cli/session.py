"""What a verb works with when it runs in this process."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from indexvault.cli.output import Output
from indexvault.cli.progress import ProgressDisplay
from indexvault.cli.settings_file import CONFIG_VARIABLE, find_settings
from indexvault.clients import FIRST_CONTACT, Clients
from indexvault.errors import SettingsError
from indexvault.model import Clock
from indexvault.search.retry import RetryPolicy
from indexvault.settings.model import Settings
from indexvault.settings.source import load_settings
from indexvault.workflow.activity import ProgressUpdate, Resources

__all__ = ["FIRST_CONTACT", "BareSession", "Session", "show_update"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BareSession:
    """What a verb works with before, or without, settings. `config` is what --config says, `folder` the current one."""

    environment: Mapping[str, str]
    config: str | None
    folder: Path
    output: Output
    clock: Clock
    rng: random.Random

    def load_settings(self) -> Settings:
        """Read the settings. Raises SettingsError if there are none, or if they are wrong."""
        found = find_settings(self.environment, self.config, folder=self.folder)
        try:
            return load_settings(found, folder=self.folder)
        except SettingsError as error:
            if error.on != CONFIG_VARIABLE or self.config is None:
                raise
            raise SettingsError(
                error.what, on="--config", do="Check the path; indexvault init --config FILE writes such a file"
            ) from None

    def with_settings(self, settings: Settings) -> "Session":
        """Return what a verb works with that has settings."""
        return Session(
            settings=settings, environment=self.environment, output=self.output, clock=self.clock, rng=self.rng
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The settings, the environment that holds their secrets, the output, the clock and the randomness."""

    settings: Settings
    environment: Mapping[str, str]
    output: Output
    clock: Clock
    rng: random.Random

    def clients(self, *, retry: RetryPolicy | None = None) -> Clients:
        """Return clients for the configured services and stores, to be used as a context manager."""
        return Clients(self.settings, environment=self.environment, rng=self.rng, retry=retry)

    def resources(self, clients: Clients, display: ProgressDisplay | None = None) -> Resources:
        """Return the resources for steps that a verb runs without an engine."""

        def report(update: ProgressUpdate) -> None:
            if display is not None:
                show_update(display, update)

        return Resources(clients=clients, clock=self.clock, rng=self.rng, report=report)

    def new_run(self, kind: str) -> str:
        """Return a new run's name, made of what it does and when it started."""
        return f"{kind}-{self.clock():%Y%m%dT%H%M%SZ}-{self.rng.randbytes(3).hex()}"

    async def index_names(self, service: str) -> list[str]:
        """Return the names of a service's indexes. Raises within seconds if the service can't be reached or refuses."""
        async with self.clients(retry=FIRST_CONTACT) as clients:
            return await clients.service(service).index_names()

    async def prepare_store_of(self, service: str) -> None:
        """Prepare the store of a service's snapshots. Raises within seconds if it can't be reached or refuses."""
        async with self.clients(retry=FIRST_CONTACT) as clients:
            await clients.store_of(service).prepare()


def show_update(display: ProgressDisplay, update: ProgressUpdate) -> None:
    """Show what a step reports."""
    display.advance(update.stage, documents=update.documents, bytes=update.bytes, expected=update.expected)
