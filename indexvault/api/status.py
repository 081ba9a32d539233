"""`/status`: every service, index, run and store, judged."""

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptName, ServiceName
from indexvault.errors import RequestError
from indexvault.status.facts import Fleet
from indexvault.status.gather import read_fleet
from indexvault.status.watch import Watch


class StatusQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of everything, of one service, or of one index of it."""

    service: ServiceName | None = None
    index: KeptName | None = None


def status_endpoint(watch: Watch) -> Endpoint:
    """Return the endpoint. Whatever can't be read is red in the answer; the status is 200 all the same."""

    async def status(call: Call[None, StatusQuery, Nothing]) -> Reply:
        asked = call.query
        if asked.service is None:
            if asked.index is not None:
                raise RequestError("it needs the service", on="query.index", do="Send service, too")
            return Reply(200, await watch.fleet(call.resources))
        return Reply(200, await read_fleet(call.resources, service=asked.service, index=asked.index))

    return Endpoint(
        name="status",
        method="GET",
        route="status",
        summary="Every index against its recovery point: green, amber, red, or grey, and why. Writes nothing",
        handle=status,
        query=StatusQuery,
        answers={200: DocumentedAnswer("The facts, also if some could not be read.", Fleet)},
    )
