"""Refusals of a deployment, as a command line says them."""

import re

import msgspec
import pytest

from indexvault.api import decode, runs, start_run
from indexvault.api.problems import Problem
from indexvault.cli.remote.errors import error_of
from indexvault.errors import NotFoundError, RequestError, TooManyRunsError
from tests.layout.project import text_of


def test_a_refused_removal_is_the_app_s_and_not_of_a_member() -> None:
    problem = Problem(
        type="urn", title="t", status=422, detail="d", kind="RequestError", what="w", on="body.dry_run", do="d"
    )
    assert error_of(422, msgspec.json.encode(problem), "https://app").on == "https://app"


@pytest.mark.parametrize(
    ("kind", "module", "advised"),
    [
        (TooManyRunsError, start_run, "Wait until one has ended, or cancel one; `indexvault runs` lists them"),
        (NotFoundError, runs, "`indexvault runs` lists the runs"),
        (RequestError, decode, "Correct the command: indexvault help VERB"),
    ],
)
def test_a_command_line_is_not_told_to_send_requests(kind: type[Exception], module: object, advised: str) -> None:
    source = text_of(f"{module.__name__.replace('.', '/')}.py")  # type: ignore[attr-defined]  # a module
    advice = set(re.findall(r'"([^"]*GET /api/[^"]*)"', source))
    assert len(advice) == 1
    problem = Problem(
        type="urn", title="t", status=429, detail="d", kind=kind.__name__, what="w", on="x", do=advice.pop()
    )
    error = error_of(429, msgspec.json.encode(problem), "app")
    assert (type(error), error.do) == (kind, advised)
