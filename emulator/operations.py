"""Perform a request: check the caller and the api-version, then call the operation."""

from emulator import definition_operations, definitions, document_operations
from emulator.exchange import Asked, Reply
from emulator.failures import ServiceError
from emulator.service import Service
from emulator.versions import PREVIEW, SERVICE_KINDS

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
    if kind == "indexes":
        _refuse_newer(service, asked)
    if asked.operation.name in _OPERATIONS:
        return _OPERATIONS[asked.operation.name](service, asked)
    verb = asked.operation.name.partition("_")[0]
    return definition_operations.VERBS[verb](service, asked)


def _refuse_newer(service: Service, asked: Asked) -> None:
    """Refuse a request about an index that uses what its version does not know, if the service is set up to do so.

    Source: answer quoted in a public issue of a sample application, 2024 (SEARCH_FACTS, Client and versions). Whether a
    list is refused too is not known.
    """
    mode, named = service.setup.newer_indexes, asked.operation.resource
    if mode == "shown" or (not named and mode != "refused in lists"):
        return
    alias = service.resources["aliases"].get(named)
    wanted = alias.body["indexes"][0] if alias is not None else named
    for name, index in service.indexes.items():
        if (not named or name == wanted) and definitions.is_newer(index.definition, asked.version):
            raise ServiceError(
                400,
                "This index was created with a newer version of the Azure Search API and uses features exclusive to"
                f" that version. Please use the latest API version ({PREVIEW[-1]}) to manage this index.",
                code="FeatureNotSupportedInApiVersion",
            )
