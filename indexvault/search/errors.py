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


def refusal(status: int, says: str, on: str, *, by_key: bool, code: str = "") -> IndexvaultError:  # noqa: PLR0911 - a table of answers
    """Return the error for an HTTP status that no retry helps with.

    `says` is the service's message, free of values, and `code` its code, which is often empty. `by_key` says how the
    request was authenticated, since a wrong key is answered with 403, as a missing role is. Source: HTTP status codes
    (Azure AI Search), 2026-09.
    """
    words = f" (HTTP {status}){says and ': ' + says}"
    match status:
        case 401:
            return UnauthorizedError(
                "the service does not accept the identity (HTTP 401)",
                on=on,
                do="Check the key, or that role-based access is enabled on the service",
            )
        case 403 if by_key:
            return UnauthorizedError(
                "the service does not accept the key for this (HTTP 403)",
                on=on,
                do="Set the environment variable that api_key names to a current admin key of this service",
            )
        case 403:
            return ForbiddenError(
                "the identity lacks a role (HTTP 403)",
                on=on,
                do="Grant Search Service Contributor, and for documents Search Index Data Reader (backup) or "
                "Search Index Data Contributor (restore)",
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
        case _ if 400 <= status < 500 and (status == 429 or "quota" in says.lower()):  # noqa: PLR2004 - HTTP refusals
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


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def without_quoted_values(message: str) -> str:
    """Return a message without what it quotes: the service quotes values of documents, which no log may hold."""
    return _QUOTED.sub("'…'", message)
