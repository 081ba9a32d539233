"""Turn a service's refusal into an error that says what to do."""

import re

from indexvault.errors import (
    ConflictError,
    ForbiddenError,
    IndexvaultError,
    NewerVersionError,
    NotFoundError,
    QuotaError,
    RefusedError,
    TooLargeError,
    UnauthorizedError,
    UnexpectedAnswerError,
)

NEWER_VERSION = "FeatureNotSupportedInApiVersion"
"""The code of the refusal of an index that was made with a newer api-version. Source: answer quoted in a public issue
of a sample application, 2024."""
_NEWER_VERSION_WORDS = "created with a newer version of the"


_ROLES = (
    "Search Service Contributor, and for documents Search Index Data Reader (backup) or Search Index Data Contributor"
    " (restore)"
)


def refusal(status: int, says: str, on: str, *, by_key: bool, code: str = "") -> IndexvaultError:  # noqa: PLR0911 - a table of answers
    """Return the error for an HTTP status that no retry helps with.

    `says` is the service's message, free of values, and `code` its code, which is often empty. `by_key` says how the
    request was authenticated: a wrong key and a firewall are answered with 403, a missing role with 401 or 403, and a
    service that takes keys only answers an identity with 401. Source: HTTP status codes
    (Azure AI Search), 2026-09.
    """
    words = f" (HTTP {status}){says and ': ' + says}"
    match status:
        case 401:
            return UnauthorizedError(
                "the service does not accept the identity (HTTP 401)",
                on=on,
                do="Enable role-based access on the service, which takes keys only by default, and check the roles of"
                f" the identity: {_ROLES}; or set api_key",
            )
        case 403 if by_key:
            return UnauthorizedError(
                "the service does not accept the key for this (HTTP 403)",
                on=on,
                do="Set the environment variable that api_key names to a current admin key of this service, and check"
                " its firewall",
            )
        case 403:
            return ForbiddenError(
                "the identity lacks a role, or the service's firewall refuses this machine (HTTP 403)",
                on=on,
                do=f"Check the firewall, and grant the roles: {_ROLES}",
            )
        case 404:
            return NotFoundError("not found on the service", on=on, do="Check the name")
        case 409 | 412:
            return ConflictError(
                f"the service reports a conflict{words}", on=on, do="Look at what is there now, then repeat"
            )
        case 400 if code == NEWER_VERSION or _NEWER_VERSION_WORDS in says:
            return NewerVersionError(
                f"it was made with a newer api-version than the one that was asked in{words}",
                on=on,
                do="Use a version of indexvault that speaks a newer api-version",
            )
        case 413:
            return TooLargeError("the request is too large (HTTP 413)", on=on, do="Send less at once")
        case _ if 400 <= status < 500 and (status == 429 or names_quota(says)):  # noqa: PLR2004 - HTTP refusals
            return QuotaError(f"a quota is used up{words}", on=on, do="Free some of it, or choose a larger tier")
        case _ if 400 <= status < 500:  # noqa: PLR2004 - the range of HTTP refusals
            return RefusedError(
                f"the service refuses the request{words}",
                on=on,
                do="Change the request: repeating it changes nothing",
            )
        case _:
            return UnexpectedAnswerError(
                f"an answer outside the documented ones (HTTP {status})",
                on=on,
                do="Check that the endpoint is an Azure AI Search service",
            )


def names_quota(message: str) -> bool:
    """Return whether a message speaks of a quota itself. What it quotes can be a field's name or a value."""
    return "quota" in without_quoted_values(message).lower()


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def without_quoted_values(message: str) -> str:
    """Return a message without what it quotes: the service quotes values of documents, which no log may hold."""
    return _QUOTED.sub("'…'", message)
