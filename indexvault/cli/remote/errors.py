"""Errors of a deployment, as errors of our own tree."""

import re

from indexvault.api.problems import Problem
from indexvault.bounds import decode
from indexvault.errors import (
    UNDECODABLE,
    ErrorRecord,
    ForbiddenError,
    IndexvaultError,
    OverloadedError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
    from_record,
)

_TOO_MANY = 429
_SERVER_ERRORS = range(500, 600)
_AS_COMMANDS = {
    "; GET /api/runs lists them": "; `indexvault runs` lists them",
    "GET /api/runs lists the runs": "`indexvault runs` lists the runs",
    "Compare the request with GET /api/openapi.json": "Correct the command: indexvault help VERB",
}
"""What the app advises those who send requests, and what a command line has instead."""
_ARGUMENTS = {
    "indexes": "INDEX",
    "index": "SERVICE/INDEX",
    "service": "SERVICE",
    "snapshot": "SNAPSHOT",
    "snapshots": "SNAPSHOT",
    "before": "SNAPSHOT",
    "after": "SNAPSHOT",
    "source_service": "SERVICE/INDEX",
    "source_index": "SERVICE/INDEX",
    "target_service": "--to",
    "target_index": "--to",
}
"""Members of a request's body, by the arguments that they come from. Others come from the option of their name."""
_MEMBER = re.compile(r"body\.([a-z_]+)(?:\[\d+\])?")
_PATTERN = "matching regex"
_SENT_BY_US = {"body.dry_run", "path"}
"""Members whose content no argument holds: a refusal of them is one of the app."""
_NO_APP = "Check --url: it is the address of the Functions app, without a path"


def error_of(status: int, data: bytes, on: str) -> IndexvaultError:
    """Return the error of an answer: the app's own if it sent a problem document, else one for the HTTP status."""
    try:
        problem = decode(data, Problem)
    except UNDECODABLE:
        return _without_document(status, on)
    do = problem.do
    for requests, commands in _AS_COMMANDS.items():
        do = do.replace(requests, commands)
    about = on if problem.on in _SENT_BY_US else problem.on
    what = problem.what or problem.detail
    member = _MEMBER.fullmatch(about)
    if member is not None:
        about = _ARGUMENTS.get(member[1], f"--{member[1].replace('_', '-')}")
        if _PATTERN in what and about in {"INDEX", "SERVICE/INDEX", "--to"}:
            what = "this is no name that an index can have"
            do = "Use lower-case letters, digits, inner dashes and underscores, at most 128"
    return from_record(ErrorRecord(kind=problem.kind, what=what, on=about or on, do=do))


def _without_document(status: int, on: str) -> IndexvaultError:
    """Return the error for an answer of Azure Functions itself, or of a proxy, which have no problem document."""
    match status:
        case 401:
            return UnauthorizedError(
                "the key is missing or wrong", on=on, do="Set INDEXVAULT_KEY to a function key of this app"
            )
        case 403:
            return ForbiddenError(
                "the app does not let this caller in", on=on, do="Check the app's access restrictions"
            )
        case _ if status == _TOO_MANY:
            return OverloadedError("it is overloaded", on=on, do="Try again in a minute")
        case _ if status in _SERVER_ERRORS:
            return UnreachableError(f"it can't answer now (HTTP {status})", on=on, do="Try again in a minute")
        case _:
            return UnexpectedAnswerError(f"this is not an answer of indexvault (HTTP {status})", on=on, do=_NO_APP)
