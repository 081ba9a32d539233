"""A decoded request and its reply: what passes between HTTP and the operations."""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from emulator.access import Caller
from emulator.failures import invalid_request
from emulator.faults import Rule
from emulator.routes import Operation
from emulator.service import Conditions
from emulator.versions import ApiVersion


class Asked(msgspec.Struct, frozen=True):
    """A decoded request."""

    operation: Operation
    method: str
    path: str
    root: str
    """The service's address, for links."""
    version: ApiVersion
    caller: Caller
    headers: Mapping[str, str]
    parameters: Mapping[str, list[str]]
    body: bytes
    faults: Mapping[str, Rule]

    def parameter(self, name: str) -> str | None:
        """Return the first value of a parameter, with or without OData's `$`."""
        values = self.parameters.get(name) or self.parameters.get(f"${name}")
        return values[0] if values else None

    @property
    def metadata(self) -> bool:
        """Whether `@odata.` members are wanted: not with `odata.metadata=none`."""
        return "odata.metadata=none" not in self.headers.get("Accept", "")

    @property
    def conditions(self) -> Conditions:
        """Return the request's ETag conditions."""
        return Conditions(self.headers.get("If-Match"), self.headers.get("If-None-Match"))


class Reply(msgspec.Struct, frozen=True):
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    content_type: str | None = "application/json"


def object_of(asked: Asked) -> dict[str, Any]:
    """Read a body that must be a JSON object."""
    try:
        body = orjson.loads(asked.body)
    except orjson.JSONDecodeError as problem:
        raise invalid_request(f"Invalid JSON. {problem}.") from problem
    if not isinstance(body, dict):
        raise invalid_request("An object was expected.")
    return body


def with_context(body: dict[str, Any], model: str, asked: Asked) -> dict[str, Any]:
    """Add the name of a body's model, where `@odata.` members are wanted."""
    return {"@odata.context": f"{asked.root}/$metadata#{model}", **body} if asked.metadata else body


def lag_of(asked: Asked, fault: str) -> float:
    """Return the seconds of a fault's delay, 0 without the fault."""
    return asked.faults[fault].seconds if fault in asked.faults else 0.0


def json_reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Reply with JSON."""
    return Reply(status, orjson.dumps(body), headers or {})
