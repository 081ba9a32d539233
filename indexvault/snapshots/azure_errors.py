"""Turn errors of the storage library into this project's.

Source: Common REST API error codes; Blob Storage error codes, 2026-09.
"""

import msgspec
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from indexvault.bounds import MEBIBYTE
from indexvault.errors import (
    ConflictError,
    ForbiddenError,
    IndexvaultError,
    IntegrityError,
    NotFoundError,
    OverloadedError,
    OversizedAnswerError,
    RefusedError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _CONDITION_FAILED = 401, 403, 404, 409, 412
_TOO_MANY_REQUESTS, _UNAVAILABLE, _SERVER_ERRORS = 429, 503, 500

_WRONG_KEY = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"})

_IMMUTABLE = frozenset({"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"})

_UNREADABLE = frozenset({"BlobArchived", "BlobBeingRehydrated", "BlobUsesCustomerSpecifiedEncryption"})
"""Codes of one blob that a rule, or whoever can write here, has put out of reach. Those of the store are errors of the
store; this blob is as a damaged one, so that work goes on with the others."""

BLOB_IS_THERE = frozenset({"BlobAlreadyExists", "UnauthorizedBlobOverwrite"}) | _IMMUTABLE
"""Codes of a refused create-only write. Which of them a protected blob gives is not documented."""


class OversizedResponseError(AzureError):
    """An answer has more than `limit` bytes, which are more than were asked for."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


class _Meaning(msgspec.Struct, frozen=True):
    kind: type[IndexvaultError]
    what: str
    do: str


_UNAUTHORIZED_MEANING = _Meaning(
    UnauthorizedError,
    "the store does not accept the key or identity",
    "Check the connection string or the sign-in, and the clock of this machine",
)
_IMMUTABLE_MEANING = _Meaning(
    ConflictError,
    "an immutability policy or legal hold keeps the blob",
    "Leave it until the policy's period has passed",
)
_NO_CONTAINER_MEANING = _Meaning(
    NotFoundError,
    "the container is not there",
    "Check the store's account; the containers are made by the first backup",
)
_UNREADABLE_SOURCE_MEANING = _Meaning(
    RefusedError,
    "the account can't read the blob in the other account",
    "Give it access for direct copies: a firewall, private endpoint or tenant keeps the accounts apart",
)
_STATE_MEANING = _Meaning(
    ConflictError, "it is not, or no longer, in the state this needs", "See who else is writing, then try again"
)
_UNREADABLE_MEANING = _Meaning(
    IntegrityError,
    "the blob is there and can't be read as it is kept",
    "Rehydrate it to an online tier and exempt the container from rules that archive; or take a copy of another store",
)
_BUSY_MEANING = _Meaning(
    OverloadedError,
    "the store is too busy, and retrying did not help",
    "Try again later, or with less at a time",
)
_FAILED_MEANING = _Meaning(UnreachableError, "the store failed", "Try again later")
_REFUSED_MEANING = _Meaning(RefusedError, "the store refuses the request", "Check the account's kind and settings")

_BY_STATUS = {
    _UNAUTHORIZED: _UNAUTHORIZED_MEANING,
    _FORBIDDEN: _Meaning(
        ForbiddenError,
        "the key or identity may not do this",
        "Check the key, or give the identity the role Storage Blob Data Contributor; then check the account's firewall",
    ),
    _NOT_FOUND: _Meaning(NotFoundError, "there is no such blob", "List the snapshots to see what there is"),
    _CONFLICT: _STATE_MEANING,
    _CONDITION_FAILED: _STATE_MEANING,
    _TOO_MANY_REQUESTS: _BUSY_MEANING,
    _UNAVAILABLE: _BUSY_MEANING,
}
_BY_CODE = (
    dict.fromkeys(_WRONG_KEY, _UNAUTHORIZED_MEANING)
    | dict.fromkeys(_IMMUTABLE, _IMMUTABLE_MEANING)
    | dict.fromkeys(_UNREADABLE, _UNREADABLE_MEANING)
    | {"ContainerNotFound": _NO_CONTAINER_MEANING}
    # Seen with statuses 401, 403, 404 and 409.
    | {"CannotVerifyCopySource": _UNREADABLE_SOURCE_MEANING}
)


def translate(error: Exception, on: str) -> IndexvaultError:
    """Return this project's error for one of the storage library's; raise any other error.

    Of Python's own, ValueError (UnicodeError is one) is what the library makes of headers and text that are none.

    `on` names store, account, container and blob. The library's own text, which may quote a request, is left out.
    """
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _refusal(error.status_code, error_code(error), on)
    if isinstance(error, ClientAuthenticationError):
        return UnauthorizedError(
            "no identity could be found to sign in with",
            on=on,
            do="Sign in with `az login`, give the app a managed identity, or configure a connection string",
        )
    if isinstance(error, (ServiceRequestError, ServiceResponseError, TimeoutError)):
        return UnreachableError(
            f"the store gave no answer ({type(error).__name__})",
            on=on,
            do="Check the account's name, its firewall and the network, then try again",
        )
    if isinstance(error, OversizedResponseError):
        return OversizedAnswerError(
            f"the store sent more than the {error.limit / MEBIBYTE:.2g} MiB that were asked for",
            on=on,
            do="Check the account's address and the network path to it, then find out what answers there",
        )
    if isinstance(error, (AzureError, ValueError)):
        return UnexpectedAnswerError(
            f"the store's answer broke off or made no sense ({type(error).__name__})",
            on=on,
            do="Try again; if it persists, check the network path to the store",
        )
    raise error


def error_code(error: HttpResponseError) -> str:
    """Return the storage service's own code for a refusal, or an empty text if it sent none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _refusal(status: int, code: str, on: str) -> IndexvaultError:
    fallback = _FAILED_MEANING if status >= _SERVER_ERRORS else _REFUSED_MEANING
    meaning = _BY_CODE.get(code) or _BY_STATUS.get(status, fallback)
    return meaning.kind(f"{meaning.what} (HTTP {status} {code})".replace(" )", ")"), on=on, do=meaning.do)
