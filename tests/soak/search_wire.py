"""Emulated search services without a network: requests of `SearchService` go straight to the emulator's operations.

Faults are the emulator's own rules, drawn as its server draws them; resets and broken answers become the errors that
the SDK raises for them.
"""

import itertools
import random
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast
from urllib.parse import parse_qsl, urlsplit

import msgspec
from azure.core.exceptions import ServiceResponseError
from azure.core.rest import HttpRequest
from multidict import CIMultiDict

from emulator.exchange import Asked, Reply
from emulator.failures import ServiceError
from emulator.faults import Plan, Rule
from emulator.faults import Request as FaultRequest
from emulator.operations import perform
from emulator.routes import operation
from emulator.service import EmulatedService, Service
from emulator.versions import requested
from indexvault.search.client import SearchService
from indexvault.search.documents import DocumentRequests
from indexvault.search.retry import RetryPolicy
from indexvault.search.throttle import Throttle, ThrottleLimits, Timer
from indexvault.search.transport import Transport
from tests.soak.process import Process
from tests.soak.truth import Truth

if TYPE_CHECKING:
    from azure.search.documents.indexes.aio import SearchIndexClient

_LOOKS = ("get_", "list_", "search", "count_", "look_up", "suggest", "autocomplete", "analyze")


class Emulated:
    """One emulated service.

    Documents whose keys match `refuses` are refused one by one with a 400; those that match `loses` are acknowledged
    and not stored, the first time.
    """

    def __init__(self, name: str, key: str, truth: Truth) -> None:
        self.service = Service(EmulatedService(name=name, region="eastus", api_key=key), None)
        self.service._etags = itertools.count(1)
        self.key = key
        self.refuses: re.Pattern[str] | None = None
        self.loses: re.Pattern[str] | None = None
        self.lost: set[str] = set()
        self._truth = truth
        self._under_way = 0

    def faults(self, rules: Iterable[Rule], seed: int) -> None:
        """Replace the fault rules."""
        self.service.faults.replace(Plan(rules=list(rules), seed=seed))

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a request. Raises ServiceResponseError where no whole answer comes."""
        split = urlsplit(url)
        try:
            found = operation(method, split.path)
        except ServiceError as error:
            return _refusal(error)
        drawn = self.service.faults.draw(FaultRequest(found.name, method, split.path, 1))
        try:
            _interfere([rule for rule in drawn.values() if not rule.after])
            parameters: dict[str, list[str]] = {}
            for name, value in parse_qsl(split.query, keep_blank_values=True):
                parameters.setdefault(name, []).append(value)
            given = CIMultiDict(headers)
            asked = Asked(
                operation=found,
                method=method,
                path=split.path,
                root="http://127.0.0.1",
                version=requested(parameters.get("api-version", [None])[0]),
                caller=self.service.guard.caller(given),
                headers=given,
                parameters=parameters,
                body=body,
                faults=drawn,
            )
            self._truth.changing(self.service, found, method)
            reply = self._index_documents(asked) if found.name == "index_documents" else perform(self.service, asked)
            self._truth.adopt(self.service)
            _interfere([rule for rule in drawn.values() if rule.after])
            if "too_large" in drawn and len(reply.body) > drawn["too_large"].bytes:
                raise _too_large()
        except ServiceError as error:
            return _refusal(error)
        if "truncated" in drawn and len(reply.body) > 1:
            _cut()
        return reply

    def _index_documents(self, asked: Asked) -> Reply:
        if self.refuses is None and self.loses is None:
            return perform(self.service, asked)
        key = self.service.index(asked.operation.resource).schema.key.name
        actions = msgspec.json.decode(asked.body)["value"]
        refused, lost, rest = [], [], []
        for action in actions:
            name, deletes = action[key], action.get("@search.action") == "delete"
            if self.refuses is not None and not deletes and self.refuses.search(name):
                refused.append(name)
            elif self.loses is not None and not deletes and name not in self.lost and self.loses.search(name):
                self.lost.add(name)
                lost.append(name)
            else:
                rest.append(action)
        results = []
        if rest:
            body = msgspec.json.encode({"value": rest})
            reply = perform(self.service, msgspec.structs.replace(asked, body=body))
            if reply.status >= 300:
                return reply
            results = msgspec.json.decode(reply.body)["value"]
        results += [{"key": name, "status": True, "errorMessage": None, "statusCode": 201} for name in lost]
        results += [
            {"key": name, "status": False, "errorMessage": "This document is refused.", "statusCode": 400}
            for name in refused
        ]
        status = 200 if all(result["status"] for result in results) else 207
        return Reply(status, msgspec.json.encode({"value": results}))


def is_change(method: str, url: str) -> bool:
    """Return whether a request can change something."""
    try:
        name = operation(method, urlsplit(url).path).name
    except ServiceError:
        return False
    return not name.startswith(_LOOKS)


class _Response:
    """An answer as the SDK's streamed responses show it."""

    def __init__(self, reply: Reply) -> None:
        self.status_code = reply.status
        self.headers = dict(reply.headers)
        self._body = reply.body

    async def iter_raw(self) -> AsyncIterator[bytes]:
        yield self._body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class _Wire:
    """What `Transport` needs of the SDK's client."""

    def __init__(self, emulated: Emulated, process: Process) -> None:
        self._emulated = emulated
        self._process = process

    async def send_request(self, request: HttpRequest, **_options: Any) -> _Response:
        content = request.content
        body = content.encode() if isinstance(content, str) else content or b""
        headers = {**request.headers, "api-key": self._emulated.key}

        async def effect() -> _Response:
            return _Response(self._emulated.answer(request.method, request.url, headers, body))

        label = f"{self._emulated.service.setup.name} {request.method} {request.url.partition('?')[0]}"
        return await self._process.call(label, effect, changes=is_change(request.method, request.url))

    async def close(self) -> None:
        pass


class DirectService(SearchService):
    """A search service whose requests reach the emulator without a network."""

    def __init__(self, emulated: Emulated, process: Process, *, rng: random.Random, timer: Timer) -> None:
        name = emulated.service.setup.name
        transport = Transport(
            name,
            cast("SearchIndexClient", _Wire(emulated, process)),
            by_key=True,
            retry=RetryPolicy(attempts=4),
            rng=rng,
            throttle=Throttle(ThrottleLimits(), timer),
            timer=timer,
        )
        self.by_key = True
        self._endpoint = "http://127.0.0.1"
        DocumentRequests.__init__(self, name, transport)


def _interfere(rules: Sequence[Rule]) -> None:
    for rule in rules:
        match rule.fault:
            case "unavailable":
                raise ServiceError(503, "You are sending too many requests.", retry_after=rule.retry_after)
            case "throttled":
                raise ServiceError(429, "Too many requests. Please try again later.", retry_after=rule.retry_after)
            case "reset":
                _cut()


def _too_large() -> ServiceError:
    return ServiceError(413, "The page was not displayed because the request entity is too large.")


def _cut() -> NoReturn:
    raise ServiceResponseError("the connection broke off")


def _refusal(error: ServiceError) -> Reply:
    headers = {} if error.retry_after is None else {"Retry-After": f"{error.retry_after:g}"}
    return Reply(error.status, error.body(), headers)
