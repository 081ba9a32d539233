"""Perform a request: check the caller and the api-version, then call the operation."""

from emulator import definition_operations, document_operations
from emulator.exchange import Asked, Reply
from emulator.failures import ServiceError
from emulator.service import Service
from emulator.versions import SERVICE_KINDS

_OPERATIONS = {**definition_operations.OPERATIONS, **document_operations.OPERATIONS}


def perform(service: Service, asked: Asked) -> Reply:
    """Perform a request."""
    asked.caller.require(asked.operation.permission)
    kind = asked.operation.kind
    if kind in SERVICE_KINDS and not asked.version.knows(SERVICE_KINDS[kind]):
        raise ServiceError(
            400,
            f"The resource '{kind}' is not supported by api-version '{asked.version.text}'.",
            code="InvalidApiVersion",
        )
    if asked.operation.name in _OPERATIONS:
        return _OPERATIONS[asked.operation.name](service, asked)
    verb = asked.operation.name.partition("_")[0]
    return definition_operations.VERBS[verb](service, asked)
