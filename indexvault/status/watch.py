"""Keep the facts for a few seconds, so that however many look at once, services and stores are asked once."""

import asyncio

from indexvault.status.facts import Fleet
from indexvault.status.gather import read_fleet
from indexvault.workflow.activity import Resources

KEPT_SECONDS = 5.0


class Watch:
    """Gathers the facts about everything, at most once in `KEPT_SECONDS`. Requests during that wait for its result."""

    def __init__(self, kept_seconds: float = KEPT_SECONDS) -> None:
        self._kept_seconds = kept_seconds
        self._reading: asyncio.Task[Fleet] | None = None
        self._until = 0.0

    async def fleet(self, resources: Resources) -> Fleet:
        """Return the facts, at most `kept_seconds` old."""
        loop = asyncio.get_running_loop()
        stale = self._reading is None or self._reading.get_loop() is not loop
        if self._reading is None or stale or (self._reading.done() and loop.time() >= self._until):
            self._reading = loop.create_task(self._read(resources))
        # A caller that disconnects must not cancel it for the others.
        return await asyncio.shield(self._reading)

    async def _read(self, resources: Resources) -> Fleet:
        try:
            return await read_fleet(resources)
        finally:
            self._until = asyncio.get_running_loop().time() + self._kept_seconds
