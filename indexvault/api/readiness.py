"""`/readiness`: what each pair would survive and what not, check by check."""

from dataclasses import replace

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import PairName
from indexvault.clients import FIRST_CONTACT, Clients
from indexvault.readiness.gather import read_readiness
from indexvault.readiness.report import Readiness


class ReadinessQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of every pair, or of one."""

    pair: PairName | None = None


async def readiness(call: Call[None, ReadinessQuery, Nothing]) -> Reply:
    """Check every pair. What is not ready, or could not be read, is in the answer; the status is 200 all the same."""
    resources = call.resources
    # Whoever waits for this answer is to see what does not answer in seconds.
    async with Clients(
        resources.clients.settings, environment=call.host.environment, rng=resources.rng, retry=FIRST_CONTACT
    ) as clients:
        return Reply(200, await read_readiness(replace(resources, clients=clients), call.query.pair))


ENDPOINTS = (
    Endpoint(
        name="readiness",
        method="GET",
        route="readiness",
        summary="What each pair would survive and what not, with what to do. Writes nothing",
        handle=readiness,
        query=ReadinessQuery,
        answers={200: DocumentedAnswer("The checks, also if some are bad or could not be made.", Readiness)},
    ),
)
