"""Refusals of a deployment, as a command line says them."""

import re

import msgspec
import pytest

from backup.backups import BackupRequest
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


@pytest.mark.parametrize(
    ("member", "argument"),
    [
        ("body.indexes[0]", "INDEX"),
        ("body.target_index", "--to"),
        ("body.accept_loss", "--accept-loss"),
        ("body.snapshot", "SNAPSHOT"),
        ("path.run", "path.run"),
    ],
)
def test_a_member_of_the_request_is_told_as_the_argument_that_it_came_from(member: str, argument: str) -> None:
    problem = Problem(type="urn", title="t", status=422, detail="d", kind="RequestError", what="w", on=member, do="d")
    assert error_of(422, msgspec.json.encode(problem), "app").on == argument


def test_a_name_that_no_index_can_have_is_told_without_a_pattern() -> None:
    with pytest.raises(RequestError) as refused:
        decode.decode_body(b'{"service": "contoso-east", "indexes": ["No Index"]}', BackupRequest)
    given = refused.value
    problem = Problem(
        type="urn", title="t", status=422, detail="d", kind="RequestError", what=given.what, on=given.on, do=given.do
    )
    error = error_of(422, msgspec.json.encode(problem), "app")
    assert str(error).startswith("INDEX: this is no name that an index can have. Use lower-case letters")
