"""The client of the API, over real HTTP, against a server that answers what a test tells it to."""

import random
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiohttp import web

from indexvault.api.problems import problem_of
from indexvault.api.run_views import RunList
from indexvault.bounds import MEBIBYTE
from indexvault.cli.remote.address import Address
from indexvault.cli.remote.deployment import Deployment
from indexvault.errors import (
    ConflictError,
    ForbiddenError,
    IndexvaultError,
    IntegrityError,
    OverloadedError,
    OversizedAnswerError,
    SettingsError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.search.retry import RetryPolicy
from tests.peak import taking_at_most

KEY = "a-key-nobody-may-see"
QUICK = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.001, longest_retry_after=0.001)
BUSY = OverloadedError("it is too busy", on="store local", do="Try again")
type Reply = Callable[[], web.Response] | type[ConnectionAbortedError]


@asynccontextmanager
async def answering(*replies: Reply) -> AsyncIterator[tuple[Deployment, list[web.Request]]]:
    """Answer in order, or abort the connection, the last one for ever; what was asked is kept."""
    asked: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request)
        reply = replies[min(len(asked), len(replies)) - 1]
        if isinstance(reply, type):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return reply()

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = Address(f"http://127.0.0.1:{runner.addresses[0][1]}", KEY)
    try:
        async with Deployment(address, rng=random.Random(7), retry=QUICK) as deployment:
            yield deployment, asked
    finally:
        await runner.cleanup()


def nothing() -> web.Response:
    return web.json_response({"runs": []}, headers={"Retry-After": "7"})


def status(code: int, **headers: str) -> Reply:
    return lambda: web.Response(status=code, headers=headers)


def refusing(error: IndexvaultError) -> Reply:
    def reply() -> web.Response:
        problem = problem_of(error)
        body = {name: getattr(problem, name) for name in problem.__struct_fields__}
        return web.json_response(body, status=problem.status, content_type="application/problem+json")

    return reply


async def test_the_key_goes_in_a_header_and_the_wait_is_read() -> None:
    async with answering(nothing) as (deployment, asked):
        reply = await deployment.read("runs", RunList)
    assert (reply.content, reply.retry_after) == (RunList([]), 7)
    assert (asked[0].headers["x-functions-key"], asked[0].path_qs) == (KEY, "/api/runs")


async def test_what_only_reads_is_asked_again_a_few_times() -> None:
    async with answering(status(503), status(502), nothing) as (deployment, asked):
        assert await deployment.get("runs", RunList) == RunList([])
        assert len(asked) == 3
    async with answering(status(429, **{"Retry-After": "1"}), refusing(BUSY), nothing) as (deployment, asked):
        assert await deployment.get("runs", RunList) == RunList([])
        assert len(asked) == 3
    for reply, kind in ((status(503), UnreachableError), (status(429), OverloadedError)):
        async with answering(reply) as (deployment, asked):
            with pytest.raises(kind):
                await deployment.get("runs", RunList)
            assert len(asked) == QUICK.attempts


async def test_what_begins_a_run_is_asked_once() -> None:
    async with answering(status(503), nothing) as (deployment, asked):
        with pytest.raises(UnreachableError):
            await deployment.post("backups", {"service": "contoso-east"}, RunList)
        assert len(asked) == 1


@pytest.mark.parametrize(
    "error",
    [
        ConflictError("it is there", on="contoso-east/hotels", do="Choose another"),
        IntegrityError("it is damaged", on="chunk", do="Repair it"),
        SettingsError("it is wrong", on="settings", do="Correct it"),
    ],
)
async def test_a_refusal_is_the_error_it_was_there(error: IndexvaultError) -> None:
    async with answering(refusing(error)) as (deployment, _asked):
        with pytest.raises(type(error)) as refused:
            await deployment.get("runs", RunList)
    assert type(refused.value) is type(error)
    assert refused.value.record() == error.record()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (status(401), UnauthorizedError),
        (status(403), ForbiddenError),
        (status(404), UnexpectedAnswerError),
        (status(429), OverloadedError),
        (lambda: web.Response(text="<html>Your function app is up</html>"), UnexpectedAnswerError),
        (lambda: web.json_response({"other": 1}), UnexpectedAnswerError),
    ],
)
async def test_answers_that_are_not_the_app_s(reply: Reply, kind: type[IndexvaultError]) -> None:
    async with answering(reply) as (deployment, _asked):
        with pytest.raises(kind) as refused:
            await deployment.get("runs", RunList)
    assert refused.value.exit_code == 1
    assert KEY not in str(refused.value)


async def test_a_redirect_does_not_take_the_key_along() -> None:
    async with answering(status(302, Location="/elsewhere")) as (deployment, asked):
        with pytest.raises(UnexpectedAnswerError):
            await deployment.get("runs", RunList)
        assert len(asked) == 1


async def test_a_broken_connection_says_that_a_run_may_have_begun() -> None:
    async with answering(ConnectionAbortedError) as (deployment, asked):
        with pytest.raises(UnreachableError, match="check `runs` before trying again"):
            await deployment.post("backups", {}, RunList)
        assert len(asked) == 1


def _compressed(size: int, begin: bytes = b"") -> bytes:
    """Compress so many spaces without holding them."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(begin), *(packer.compress(b" " * MEBIBYTE) for _ in range(size // MEBIBYTE))]
    return b"".join([*parts, packer.flush()])


async def test_an_answer_that_grows_when_it_is_decompressed() -> None:
    body = _compressed(256 * MEBIBYTE)
    for code in (200, 500):
        reply = partial(web.Response, body=body, status=code, headers={"Content-Encoding": "gzip"})
        async with answering(reply) as (deployment, asked):
            with taking_at_most(160), pytest.raises(OversizedAnswerError, match="64 MiB"):
                await deployment.get("runs", RunList)
            assert len(asked) == 1


async def test_a_compressed_answer_is_read() -> None:
    body = _compressed(MEBIBYTE, b'{"runs":[]}')
    async with answering(lambda: web.Response(body=body, headers={"Content-Encoding": "gzip"})) as (deployment, asked):
        assert await deployment.get("runs", RunList) == RunList([])
    assert asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("body", [b"{}", _compressed(MEBIBYTE)[:-9]])
async def test_an_answer_whose_compression_is_broken(body: bytes) -> None:
    async with answering(lambda: web.Response(body=body, headers={"Content-Encoding": "gzip"})) as (deployment, _asked):
        with pytest.raises(UnreachableError):
            await deployment.get("runs", RunList)


@pytest.mark.parametrize("levels", [200, 5_000, 200_000])
async def test_an_answer_that_nests_deep(levels: int) -> None:
    body = b'{"runs":[],"x":%s}' % (b"[" * levels + b"]" * levels)
    for code in (200, 409):
        async with answering(partial(web.Response, body=body, status=code)) as (deployment, _asked):
            with pytest.raises(UnexpectedAnswerError):
                await deployment.get("runs", RunList)
