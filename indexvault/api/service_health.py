"""`/health/{service}`: whether a router may send traffic to a search service.

Anyone may ask, and many do: each edge of a router by itself. So answers are kept for `KEPT_SECONDS`, those who ask
during a check wait for its result, and a check asks few queries and ends within `CHECK_SECONDS`. What it says names
nothing, and a service that is in no pair is answered as one that does not exist.
"""

import asyncio
import logging
from typing import Literal

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Host, Nothing, Reply
from indexvault.api.health import HealthCheck
from indexvault.api.parameters import ServiceName
from indexvault.errors import IndexvaultError, NotFoundError, RemoteError, SettingsError
from indexvault.recovery.drift_records import read_drifts
from indexvault.recovery.index_health import QUERY_SECONDS, IndexHealth
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role
from indexvault.recovery.service_health import (
    Content,
    RoleHere,
    ServiceHealth,
    SideFacts,
    judge_content,
    judge_side,
    role_here,
)
from indexvault.settings.model import PairSettings, Settings
from indexvault.settings.pairs import pair_of, standby_store
from indexvault.workflow.activity import Resources

ROLE_SECONDS = 2.0
"""How long the stores may take to tell the role: below what a router waits, also where the other region hangs."""
_LOG = logging.getLogger(__name__)


class ServicePath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service that a router asks about."""

    service: ServiceName


class UnknownService(msgspec.Struct, frozen=True):
    """What is said of a service that is in no pair, or of none."""

    status: Literal["unknown"] = "unknown"
    reason: str = "no service of this name is in a pair"


class RoleWatch:
    """The role of one pair, read at most once in `KEPT_SECONDS`, and the one that was read last."""

    def __init__(self, pair: str) -> None:
        self._pair = pair
        self._check = HealthCheck[SeenRole | None]()
        self.last: SeenRole | None = None

    async def read(self, resources: Resources) -> SeenRole | None:
        """Return the role, or None if no store tells it. Whatever else is wrong with its records is None, too."""
        return await self._check(lambda: self._read(resources))

    async def _read(self, resources: Resources) -> SeenRole | None:
        try:
            seen = await pair_role(resources.clients, self._pair, seconds=ROLE_SECONDS)
        except RemoteError as error:
            _LOG.warning("health: no store tells the role of pair %s: %s", self._pair, error)
            return None
        except IndexvaultError as error:
            # A forged record must not leave the role of before in force.
            self.last = None
            _LOG.warning("health: the role of pair %s can't be used: %s", self._pair, error)
            return None
        if self.last is not None and seen.role.generation < self.last.role.generation:
            # The store that has the last swap does not answer now. What was seen once stays true.
            seen = SeenRole(self.last.role, seen.unread)
        self.last = seen
        return seen


class ServiceChecks:
    """What this process knows of the services of pairs."""

    def __init__(self, *, seconds: float = QUERY_SECONDS) -> None:
        self._seconds = seconds
        self._roles: dict[str, RoleWatch] = {}
        self._checks: dict[str, HealthCheck[ServiceHealth]] = {}
        self._indexes: dict[str, IndexHealth] = {}
        self._said: dict[str, ServiceHealth] = {}

    async def health(self, resources: Resources, service: str) -> ServiceHealth | None:
        """Return the health of a service, or None if it is in no pair."""
        found = await self._pair_of(resources, service)
        if found is None:
            return None
        name, pair = found
        return await self._checks.setdefault(service, HealthCheck())(lambda: self._ask(resources, service, name, pair))

    async def _pair_of(self, resources: Resources, service: str) -> tuple[str, PairSettings] | None:
        """Return the pair of a service: as the settings say, or as a failover did.

        A failover may name a service that the pair does not. These roles are read whatever the service is called, so
        that nobody can tell a configured one by the time it takes.
        """
        settings = resources.clients.settings
        found = pair_of(settings, service)
        if found is not None:
            return found
        for name, pair in open_pairs(settings).items():
            seen = await self._role(name).read(resources) or self._role(name).last
            if seen is not None and seen.role.active == service:
                return name, pair
        return None

    def _role(self, pair: str) -> RoleWatch:
        return self._roles.setdefault(pair, RoleWatch(pair))

    async def _ask(self, resources: Resources, service: str, name: str, pair: PairSettings) -> ServiceHealth:
        try:
            found = judge_side(await self._facts(resources, service, name, pair))
        except SettingsError as error:
            _LOG.warning("health of %s: %s", service, error)
            found = ServiceHealth("down", "the app's settings can't be used")
        except IndexvaultError as error:
            _LOG.warning("health of %s: %s", service, error)
            found = ServiceHealth("down", "a record of the pair can't be used")
        if self._said.get(service) != found:
            level = logging.INFO if found.status == "up" else logging.WARNING
            _LOG.log(level, "health of %s in pair %s: %s: %s", service, name, found.status, found.reason)
        self._said[service] = found
        return found

    async def _facts(self, resources: Resources, service: str, name: str, pair: PairSettings) -> SideFacts:
        watch = self._role(name)
        if self._here(watch.last, service, pair) == "other":  # as far as is known: no query is due yet
            role, indexes = await watch.read(resources), None
        else:
            asking = self._index_health(resources, service, pair).ask()
            role, indexes = await asyncio.gather(watch.read(resources), asking)
        seen = role or watch.last
        here = self._here(seen, service, pair)
        if here == "active" and indexes is None:
            indexes = await self._index_health(resources, service, pair).ask()
        content: Content = "recent"
        if here == "active" and pair.mode == "hot-hot" and seen is not None:
            content = await self._content(resources, service, name, pair, seen)
        return SideFacts(
            role=here,
            indexes=indexes,
            content=content,
            is_kept=role is None,
            is_alone=seen is not None and bool(seen.unread),
        )

    def _here(self, seen: SeenRole | None, service: str, pair: PairSettings) -> RoleHere:
        return role_here(None if seen is None else seen.role, service, is_hot_hot=pair.mode == "hot-hot")

    def _index_health(self, resources: Resources, service: str, pair: PairSettings) -> IndexHealth:
        if service not in self._indexes:
            client = resources.clients.health_service(service)
            self._indexes[service] = IndexHealth(client, pair.indexes, seconds=self._seconds)
        return self._indexes[service]

    async def _content(
        self, resources: Resources, service: str, name: str, pair: PairSettings, seen: SeenRole
    ) -> Content:
        """Return how the content compares with the authority's, by what was measured last.

        If that can't be read because its store does not answer, the side stays: it is not known to be behind.
        """
        store = resources.clients.store(standby_store(resources.clients.settings, pair))
        try:
            drifts = await in_time(read_drifts(store.runs, name), on="drifts", seconds=ROLE_SECONDS)
        except NotFoundError:  # nothing was ever kept in it
            drifts = []
        except RemoteError as error:
            _LOG.warning("health of %s: the drifts of pair %s can't be read: %s", service, name, error)
            drifts = []
        return judge_content(
            drifts,
            seen.role,
            service,
            authority=pair.authority or pair.primary,
            recovery_point=pair.recovery_point,
            now=resources.clock(),
        )


def open_pairs(settings: Settings) -> dict[str, PairSettings]:
    """Return the pairs whose standby a failover names."""
    return {name: pair for name, pair in settings.pairs.items() if pair.standby is None}


def service_health_endpoint(checks: ServiceChecks) -> Endpoint:
    """Return the endpoint."""

    async def service_health(call: Call[None, Nothing, ServicePath]) -> Reply:
        found = await _found(checks, call.host, call.path.service)
        if found is None:
            return Reply(404, UnknownService())
        return Reply(200 if found.status == "up" else 503, found)

    return Endpoint(
        name="service_health",
        method="GET",
        route="health/{service}",
        summary="Whether a router may send traffic to a service of a pair. HEAD, too",
        path=ServicePath,
        handle=service_health,
        anonymous=True,
        also_head=True,
        answers={
            200: DocumentedAnswer(
                "The service is active and answers, and its content is recent enough.", ServiceHealth
            ),
            404: DocumentedAnswer("No service of this name is in a pair.", UnknownService),
            503: DocumentedAnswer("No traffic should go to it, and why.", ServiceHealth),
        },
    )


async def _found(checks: ServiceChecks, host: Host, service: str) -> ServiceHealth | None:
    try:
        resources = host.resources
    except IndexvaultError as error:
        _LOG.warning("health of a service: %s", error)
        return ServiceHealth("down", "the app's settings can't be used")
    return await checks.health(resources, service)
