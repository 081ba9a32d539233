"""`/policies` and `/stats`: what policies do and keep, and what snapshots take up."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptPattern, ServiceName
from indexvault.errors import RequestError
from indexvault.model import CONFIGURED_NAME, CONFIGURED_NAME_LENGTH
from indexvault.status.explanations import PolicyExplained, explain_policies
from indexvault.status.statistics import Statistics, statistics_of

type PolicyName = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{CONFIGURED_NAME}$(?!\n)",
        max_length=CONFIGURED_NAME_LENGTH,
        description="A policy in the app's settings.",
        examples=["nightly"],
    ),
]


class PoliciesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which policy; without one, all."""

    policy: PolicyName | None = None


class PolicyList(msgspec.Struct, frozen=True):
    """The policies, each with its runs and what it keeps."""

    policies: list[PolicyExplained]


class StatsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which service, and which of its indexes; without them, of all."""

    service: ServiceName | None = None
    index: KeptPattern | None = None


async def list_policies(call: Call[None, PoliciesQuery, Nothing]) -> Reply:
    """Answer with what there is to say of policies. Raises NotFoundError for one that is not configured."""
    return Reply(200, PolicyList(await explain_policies(call.resources, call.query.policy)))


async def show_stats(call: Call[None, StatsQuery, Nothing]) -> Reply:
    """Answer with what snapshots take up. Raises NotFoundError, RequestError for an index without its service."""
    asked = call.query
    if asked.index is not None and asked.service is None:
        raise RequestError("it needs the service", on="query.index", do="Send service, too")
    return Reply(200, await statistics_of(call.resources, asked.service, asked.index))


ENDPOINTS = (
    Endpoint(
        name="list_policies",
        method="GET",
        route="policies",
        summary="The policies: their runs, and which snapshots they keep, and why",
        handle=list_policies,
        query=PoliciesQuery,
        answers={200: DocumentedAnswer("The policies.", PolicyList)},
    ),
    Endpoint(
        name="show_stats",
        method="GET",
        route="stats",
        summary="What snapshots take up, what sharing saves, and an estimate of the cost",
        handle=show_stats,
        query=StatsQuery,
        answers={200: DocumentedAnswer("The statistics.", Statistics)},
    ),
)
