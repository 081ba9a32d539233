"""Errors of the emulated service: a status and an OData error body."""

from collections.abc import Sequence

import msgspec


class Detail(msgspec.Struct, frozen=True):
    """One entry of an error's `details`."""

    code: str
    message: str


class ServiceError(Exception):
    """An answer that is an error.

    `message` None sends no body at all, as the service does for a document it does not have.
    Source: recorded traffic of the official SDKs' tests, 2020 to 2024.
    """

    def __init__(
        self,
        status: int,
        message: str | None,
        *,
        code: str = "",
        details: Sequence[Detail] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.code = code
        self.details = tuple(details)
        self.retry_after = retry_after

    def body(self) -> bytes:
        """Return the error's body as the service writes it."""
        if self.message is None:
            return b""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return msgspec.json.encode({"error": error})


class MalformedDocumentError(Exception):
    """A document that fails its whole request, with the service's text."""


class UnfitDocumentError(Exception):
    """A document that is refused with status 400 while the rest of its batch is stored."""


def invalid_request(details: str) -> ServiceError:
    """Return the error for a body that does not fit the model."""
    return ServiceError(400, f"The request is invalid. Details: {details}")


def invalid_parameter(message: str, parameter: str) -> ServiceError:
    """Return the error for one parameter of a query."""
    text = f"{message}\r\nParameter name: {parameter}"
    return ServiceError(400, text, code="InvalidRequestParameter", details=[Detail("InvalidRequestParameter", message)])


def invalid_expression(message: str, parameter: str) -> ServiceError:
    """Return the error for an OData expression; `parameter` is `$filter`, `$orderby` or `$select`."""
    return ServiceError(400, f"Invalid expression: {message}\r\nParameter name: {parameter}")


def out_of_range(message: str, parameter: str) -> ServiceError:
    """Return the error for a number outside its limits."""
    text = f"{message}\r\nParameter name: {parameter}"
    return ServiceError(
        400, text, code="InvalidRequestParameter", details=[Detail("ParameterValueOutOfRange", message)]
    )


def operation_not_allowed(message: str, reason: str) -> ServiceError:
    """Return the error for a change of an index's definition that needs a rebuild."""
    return ServiceError(400, message, code="OperationNotAllowed", details=[Detail(reason, message)])


def precondition_failed() -> ServiceError:
    """Return the error for a write whose `If-Match` or `If-None-Match` does not hold."""
    return ServiceError(
        412,
        "The precondition given in one of the request headers evaluated to false. "
        "No change was made to the resource from this request.",
    )
