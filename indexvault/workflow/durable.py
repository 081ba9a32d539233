"""The client of Durable Functions: start a run, look up its state, stop it, purge old history.

Nothing of the engine's own answers leaves this module: its management URLs carry keys.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import grpc
import msgspec
from durabletask.client import AsyncTaskHubGrpcClient, OrchestrationStatus

from indexvault.errors import RemoteError, UnreachableError
from indexvault.workflow.fan_out import RunOrder

CALL_SECONDS = 30
"""The timeout of one call to the engine."""
_ENDED = [OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED]

type EngineState = Literal["unknown", "active", "ended"]


class DurableEngine:
    """The durable engine behind a client binding. Raises UnreachableError if it does not answer or refuses."""

    def __init__(self, client: AsyncTaskHubGrpcClient) -> None:
        self._client = client

    async def start(self, workflow: str, order: RunOrder) -> bool:
        """Start a run's workflow under the run's name; return False if the engine has it already."""
        if await self.state(order.run) != "unknown":
            return False
        async with _answered(order.run):
            try:
                await self._client.schedule_new_orchestration(
                    workflow, input=msgspec.to_builtins(order), instance_id=order.run
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                    return False
                raise
        return True

    async def state(self, run: str) -> EngineState:
        """Return whether the engine knows a run, and whether it is still active."""
        async with _answered(run):
            state = await self._client.get_orchestration_state(run, fetch_payloads=False)
        if state is None:
            return "unknown"
        return "ended" if state.runtime_status in _ENDED else "active"

    async def stop(self, run: str) -> None:
        """Stop the workflow of a run or an item; activities at work notice when they next renew their lock."""
        if await self.state(run) != "active":
            return
        async with _answered(run):
            await self._client.terminate_orchestration(run, recursive=False)

    async def forget(self, before: datetime) -> None:
        """Purge the history of ended workflows that were started before a time."""
        async with _answered("history"):
            await self._client.purge_orchestrations_by(created_time_to=before, runtime_status=_ENDED, recursive=False)


@asynccontextmanager
async def _answered(on: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(CALL_SECONDS):
            yield
    except (grpc.aio.AioRpcError, TimeoutError) as error:
        code = error.code().name if isinstance(error, grpc.aio.AioRpcError) else "no answer"
        raise _unanswered(on, code) from None


def _unanswered(on: str, code: str) -> RemoteError:
    return UnreachableError(
        f"the durable engine refused the request ({code})", on=f"run {on}", do="Try again in a minute"
    )
