"""The Python worker of Azure Functions in this process: `azure-functions-runtime`, fed as the host's proxy feeds it.

The runtime reads messages by their attributes, so plain objects stand in for the protobuf ones, which are in no package
on PyPI. Runtime and app are modules of the process: there can be one worker in it.
"""

import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, override

import azure_functions_runtime as runtime  # type: ignore[import-untyped]  # has none


class Message(SimpleNamespace):
    """Stands in for any protobuf message; the one member that is set is the one that a `oneof` holds."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        return next(iter(vars(self)), None)


class BindingInfo(Message):
    inout, out, undefined = 2, 1, 0


class StatusResult(Message):
    Failure, Success = 0, 1


class SameSite:
    Lax, Strict, ExplicitNone = 1, 2, 3


setattr(SameSite, "None", 0)


class RpcHttpCookie(Message):
    SameSite = SameSite


class ParameterBinding(Message):
    @override
    def WhichOneof(self, _group: str) -> str | None:
        return "data"


PROTOS = SimpleNamespace(
    BindingInfo=BindingInfo,
    StatusResult=StatusResult,
    RpcHttpCookie=RpcHttpCookie,
    ParameterBinding=ParameterBinding,
    **{
        name: type(name, (Message,), {})
        for name in (
            "FunctionLoadResponse",
            "FunctionMetadataResponse",
            "InvocationResponse",
            "RpcException",
            "RpcFunctionMetadata",
            "RpcHttp",
            "RpcRetryOptions",
            "TypedData",
            "WorkerInitResponse",
            "WorkerMetadata",
        )
    },
)


class FunctionError(Exception):
    """A function failed; the text is the one that the worker tells the host."""

    def __init__(self, kind: str, text: str, trace: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.trace = trace


class Function:
    """An indexed function: its name and its bindings as the host gets them, in JSON."""

    def __init__(self, metadata: Any) -> None:
        self.name: str = metadata.name
        self.id: str = metadata.function_id
        self.bindings: list[dict[str, Any]] = [json.loads(raw) for raw in metadata.raw_bindings]

    @property
    def trigger(self) -> dict[str, Any]:
        return next(binding for binding in self.bindings if binding["type"].lower().endswith("trigger"))

    @property
    def client(self) -> dict[str, Any] | None:
        return next((binding for binding in self.bindings if binding["type"] == "durableClient"), None)


class Worker:
    """Indexes an app and invokes its functions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.functions: dict[str, Function] = {}

    async def start(self) -> None:
        """Index the app. Raises FunctionError if the worker can't."""
        sys.path.insert(0, str(self._folder))
        runtime.start_threadpool_executor()
        request = Message(capabilities={}, function_app_directory=str(self._folder))
        answer = await runtime.worker_init_request(_request(worker_init_request=request))
        _require_success(answer)
        answer = await runtime.functions_metadata_request(_request())
        _require_success(answer)
        self.functions = {each.name: Function(each) for each in answer.function_metadata_results}
        for function in self.functions.values():
            load = Message(function_id=function.id)
            _require_success(await runtime.function_load_request(_request(function_load_request=load)))

    async def invoke(
        self, function: Function, inputs: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
    ) -> Any:
        """Invoke a function with its inputs as `typed` data and give its return value. Raises FunctionError."""
        invocation = Message(
            invocation_id=str(uuid.uuid4()),
            function_id=function.id,
            input_data=[ParameterBinding(name=name, data=data) for name, data in inputs.items()],
            trigger_metadata=dict(metadata or {}),
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = await runtime.invocation_request(_request(invocation_request=invocation))
        _require_success(answer)
        return answer.return_value


def typed(**data: Any) -> Any:
    """Return a value as the worker's protocol has it: `typed(string=…)`, `typed(json=…)`, `typed(http=…)`."""
    return PROTOS.TypedData(**data)


def _request(**request: Any) -> Any:
    return Message(request=Message(**request), properties={"host": "127.0.0.1", "protos": PROTOS})


def _require_success(answer: Any) -> None:
    if answer.result.status != StatusResult.Success:
        problem = answer.result.exception
        raise FunctionError(problem.message.partition(":")[0], problem.message, problem.stack_trace)
