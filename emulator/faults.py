"""Injected faults: rules that say which requests fail, how, how often and how many times.

Every choice comes from one seeded source, so that the same requests in the same order fail the same way.
"""

import asyncio
import contextlib
import random
import re
from typing import Annotated, Literal

import msgspec

type Kind = Literal[
    "unavailable",
    "throttled",
    "item",
    "lost",
    "reset",
    "truncated",
    "latency",
    "short_page",
    "lagging_count",
    "lagging_visibility",
    "replicas",
    "shuffled_ties",
    "coverage",
    "too_large",
]

type Count = Annotated[int, msgspec.Meta(ge=0)]
type Some = Annotated[int, msgspec.Meta(ge=1)]
type Seconds = Annotated[float, msgspec.Meta(ge=0)]

_DEFAULT_ITEM_STATUS: Literal[503] = 503
_OF_DOCUMENTS = frozenset({"item", "lost"})


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule. It applies to a request when everything it names matches.

    `path` is a regular expression searched in the path, `operation` the name under which requests are counted.
    """

    fault: Kind
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    operation: str | None = None
    method: str | None = None
    path: str | None = None
    times: Count | None = None
    """How many requests (for `item` and `lost`: documents) it may hit; None for no limit."""
    at_once: Count | None = None
    """Apply only while more requests than this, of the same operation, are under way."""
    skip: Count = 0
    """How many matching requests pass first."""
    after: bool = False
    """For unavailable, throttled, reset and truncated: whether the request takes effect before its answer is lost."""
    retry_after: Seconds | None = None
    """Seconds, for unavailable and throttled; None sends no `Retry-After`."""
    status: Literal[400, 403, 409, 422, 429, 503] = _DEFAULT_ITEM_STATUS
    """For `item`: the status of the documents hit."""
    message: str | None = None
    """For `item`: the reason given; None for the usual one of the status."""
    key: str | None = None
    """For `item` and `lost`: a regular expression for the keys that can be hit."""
    seconds: Seconds = 0.0
    """For latency, lagging_count and lagging_visibility. Latency ends sooner when the rules are replaced."""
    documents: Some = 1
    """For short_page: at most this many documents in the page."""
    replicas: Some = 3
    """For replicas: how many replicas answer, each with its own order of ties."""
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 50.0
    """For coverage: the part of the documents that the answer knows of."""
    bytes: Count = 4 * 1024 * 1024
    """For too_large: an answer with a longer body is a 413."""

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid pattern."""
        for name, pattern in (("path", self.path), ("key", self.key)):
            try:
                re.compile(pattern or "")
            except re.error as problem:
                raise ValueError(f"{name} {pattern!r} is no regular expression: {problem}") from problem


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The input of `--faults` and of the control endpoint."""

    rules: list[Rule] = []
    seed: int = 0


class Fired(msgspec.Struct, frozen=True):
    """A rule and its counters."""

    rule: Rule
    matched: int
    fired: int


class Request(msgspec.Struct, frozen=True):
    """The facts of a request that rules match."""

    operation: str
    method: str
    path: str
    under_way: int = 1
    """Requests of the operation that are being answered, this one among them."""


class Faults:
    """The rules in force on one service."""

    def __init__(self, plan: Plan) -> None:
        self._replaced = asyncio.Event()
        self.replace(plan)

    def replace(self, plan: Plan) -> None:
        """Replace the rules, with counters at zero. Requests that the old ones held back continue."""
        self._replaced.set()
        self._replaced = asyncio.Event()
        self.rules = list(plan.rules)
        self.random = random.Random(plan.seed)  # noqa: S311  # repeatable, not secret
        self._matched = [0] * len(self.rules)
        self._fired = [0] * len(self.rules)

    def fired(self) -> list[Fired]:
        """Return every rule with its counters."""
        return [Fired(rule, self._matched[at], self._fired[at]) for at, rule in enumerate(self.rules)]

    async def hold_back(self, seconds: float) -> None:
        """Wait so long, or until the rules are replaced, so that a test can hold a request as long as it needs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._replaced.wait()

    def draw(self, request: Request) -> dict[str, Rule]:
        """Choose the faults of one request: at most one rule of each kind. Those of documents are chosen one by one."""
        drawn: dict[str, Rule] = {}
        for at, rule in enumerate(self.rules):
            if (
                rule.fault not in _OF_DOCUMENTS
                and rule.fault not in drawn
                and _applies(rule, request)
                and self._hits(at)
            ):
                drawn[rule.fault] = rule
        return drawn

    def item_fault(self, request: Request, key: str) -> Rule | None:
        """Choose whether one document of a batch fails, and with which status and reason."""
        return self._of_document("item", request, key)

    def loses(self, request: Request, key: str) -> bool:
        """Choose whether one document of a batch is accepted and not kept."""
        return self._of_document("lost", request, key) is not None

    def _of_document(self, kind: Kind, request: Request, key: str) -> Rule | None:
        for at, rule in enumerate(self.rules):
            if rule.fault != kind or not _applies(rule, request):
                continue
            if (rule.key is None or re.search(rule.key, key)) and self._hits(at):
                return rule
        return None

    def _hits(self, at: int) -> bool:
        rule = self.rules[at]
        self._matched[at] += 1
        if self._matched[at] <= rule.skip or (rule.times is not None and self._fired[at] >= rule.times):
            return False
        if rule.probability < 1 and self.random.random() >= rule.probability:
            return False
        self._fired[at] += 1
        return True


def _applies(rule: Rule, request: Request) -> bool:
    if rule.operation is not None and rule.operation != request.operation:
        return False
    if rule.method is not None and rule.method.upper() != request.method:
        return False
    if rule.at_once is not None and request.under_way <= rule.at_once:
        return False
    return rule.path is None or re.search(rule.path, request.path) is not None
