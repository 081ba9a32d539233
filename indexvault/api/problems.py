"""Errors as RFC 9457 problem documents."""

import msgspec

from indexvault.errors import (
    CancelledError,
    ConflictError,
    ForbiddenError,
    IndexvaultError,
    LossNotAcceptedError,
    MalformedError,
    NotFoundError,
    OverloadedError,
    OversizedError,
    RemoteError,
    RequestError,
    SettingsError,
    TooManyRunsError,
    UnauthenticError,
    UnauthorizedError,
    UnreachableError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 30


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document.

    `type` is for programs, `detail` for people. `kind`, `what`, `on` and `do` are the error itself: its class in
    `indexvault.errors`, what failed, on what, and what to do next. `member` is the part of the request that is wrong.
    """

    type: str
    title: str
    status: int
    detail: str
    kind: str = ""
    what: str = ""
    on: str = ""
    do: str = ""
    member: str = ""


_STATUS: tuple[tuple[type[IndexvaultError], int, str], ...] = (
    (MalformedError, 400, "malformed"),
    (OversizedError, 413, "too-large"),
    (RequestError, 422, "unusable"),
    (NotFoundError, 404, "not-found"),
    (TooManyRunsError, 429, "too-many-runs"),
    (ConflictError, 409, "conflict"),
    (LossNotAcceptedError, 409, "loss-not-accepted"),
    (UnauthenticError, 409, "unauthentic"),
    (CancelledError, 409, "cancelled"),
    (UnreachableError, 503, "unreachable"),
    (OverloadedError, 503, "overloaded"),
    (UnauthorizedError, 502, "unauthorized-there"),
    (ForbiddenError, 502, "forbidden-there"),
    (RemoteError, 502, "refused-there"),
    (SettingsError, 500, "settings"),
)
_TITLES = {
    400: "The request can't be read",
    404: "Not found",
    409: "Conflict",
    413: "The request is too large",
    422: "The request can't be used",
    429: "Too many runs",
    500: "The app can't do this",
    502: "A service or store refused",
    503: "A service or store does not answer",
}


def problem_of(error: IndexvaultError) -> Problem:
    """Return the problem document of an error."""
    for kind_of_error, status, kind in _STATUS:
        if isinstance(error, kind_of_error):
            return _problem(status, kind, error)
    return _problem(500, type(error).__name__.removesuffix("Error").lower(), error)


def unexpected() -> Problem:
    """Return the problem document of an unexpected error, without its details."""
    return Problem(
        type="urn:indexvault:unexpected",
        title=_TITLES[500],
        status=500,
        detail="Something unexpected happened.",
        do="Look for this time in the app's log",
    )


def _problem(status: int, kind: str, error: IndexvaultError) -> Problem:
    return Problem(
        type=f"urn:indexvault:{kind}",
        title=_TITLES[status],
        status=status,
        detail=str(error),
        kind=type(error).__name__,
        what=error.what,
        on=error.on,
        do=error.do,
        member=error.on if isinstance(error, RequestError) else "",
    )
