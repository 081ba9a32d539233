"""Durable work, carried from the engine to the app's functions and back, as the host's extension does it.

The engine streams work items over gRPC. An orchestration goes to its function as the base64 of the request and comes
back as the base64 of the response; an activity gets its input as JSON and gives JSON.
"""

import asyncio
import base64
import contextlib
import logging
from typing import Any

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as wire
from google.protobuf import wrappers_pb2  # type: ignore[import-untyped]  # has no stubs

from tests.hosting.worker import Function, FunctionError, Worker, typed

_LOG = logging.getLogger(__name__)


class Dispatcher:
    """Carries work until it is stopped; never more at once than host.json allows."""

    def __init__(self, worker: Worker, address: str, *, activities_at_once: int, orchestrations_at_once: int) -> None:
        self._worker = worker
        self._address = address
        self._activities = asyncio.Semaphore(activities_at_once)
        self._orchestrations = asyncio.Semaphore(orchestrations_at_once)
        self._by_durable_name = {
            (kind, binding.get(member) or function.name): function
            for function in worker.functions.values()
            for kind, member in (("orchestrationTrigger", "orchestration"), ("activityTrigger", "activity"))
            if (binding := function.trigger)["type"] == kind
        }

    async def run(self) -> None:
        """Carry work until cancelled."""
        async with grpc.aio.insecure_channel(self._address) as channel, asyncio.TaskGroup() as group:
            engine = wire.TaskHubSidecarServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            async for item in engine.GetWorkItems(pb.GetWorkItemsRequest()):
                if item.HasField("orchestratorRequest"):
                    group.create_task(self._orchestrate(engine, item))
                elif item.HasField("activityRequest"):
                    group.create_task(self._act(engine, item))

    async def _orchestrate(self, engine: Any, item: pb.WorkItem) -> None:
        request = item.orchestratorRequest
        begun = [event for event in [*request.pastEvents, *request.newEvents] if event.HasField("executionStarted")]
        name = begun[-1].executionStarted.name
        try:
            async with self._orchestrations:
                function = self._function("orchestrationTrigger", name)
                text = base64.b64encode(request.SerializeToString()).decode()
                value = await self._worker.invoke(function, {function.trigger["name"]: typed(string=text)})
            response = pb.OrchestratorResponse.FromString(base64.b64decode(value.string))
        except FunctionError as error:
            _LOG.warning("orchestrator %s failed: %s", name, error.kind)
            ending = pb.CompleteOrchestrationAction(
                orchestrationStatus=pb.ORCHESTRATION_STATUS_FAILED, failureDetails=_failure(error)
            )
            response = pb.OrchestratorResponse(
                instanceId=request.instanceId, actions=[pb.OrchestratorAction(id=-1, completeOrchestration=ending)]
            )
        response.completionToken = item.completionToken
        await engine.CompleteOrchestratorTask(response)

    async def _act(self, engine: Any, item: pb.WorkItem) -> None:
        request = item.activityRequest
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId,
            taskId=request.taskId,
            completionToken=item.completionToken,
        )
        try:
            async with self._activities:
                function = self._function("activityTrigger", request.name)
                given = {function.trigger["name"]: typed(string=request.input.value)}
                value = await self._worker.invoke(function, given)
            response.result.CopyFrom(wrappers_pb2.StringValue(value=value.json))
        except FunctionError as error:
            response.failureDetails.CopyFrom(_failure(error))
        with contextlib.suppress(grpc.aio.AioRpcError):
            await engine.CompleteActivityTask(response)

    def _function(self, kind: str, name: str) -> Function:
        if (kind, name) not in self._by_durable_name:
            raise FunctionError("LookupError", f"no function answers to {kind} {name}", "")
        return self._by_durable_name[kind, name]


def _failure(error: FunctionError) -> pb.TaskFailureDetails:
    trace = wrappers_pb2.StringValue(value=error.trace)
    return pb.TaskFailureDetails(errorType=error.kind, errorMessage=error.text, stackTrace=trace)
