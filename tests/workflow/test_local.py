import asyncio
import random
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
import pytest
from durabletask.task import OrchestrationContext

import indexvault.workflow.calls
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError, OverloadedError, RefusedError
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.calls import call, call_all
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.local_backend import PrivateBackend


class Number(msgspec.Struct, frozen=True):
    value: int


class Many(msgspec.Struct, frozen=True):
    count: int
    at_once: int = 3


class Behaviour:
    """What the activity does, number by number, and what it has seen."""

    def __init__(self) -> None:
        self.act: Callable[[int, int], Awaitable[None]] = self._nothing
        self.started: dict[int, int] = {}
        self.running = self.most_running = 0
        self.cancelled = 0

    @staticmethod
    async def _nothing(_value: int, _attempt: int) -> None: ...

    async def double(self, _resources: Resources, number: Number) -> Number:
        self.started[number.value] = self.started.get(number.value, 0) + 1
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await self.act(number.value, self.started[number.value])
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return Number(number.value * 2)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
async def engine_and_workflow(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[LocalEngine, Workflow[Many, Number]]]:
    monkeypatch.setattr(indexvault.workflow.calls, "FIRST_REST", indexvault.workflow.calls.FIRST_REST / 100)
    activity = Activity("double", Number, Number, behaviour.double)

    def total(ctx: OrchestrationContext, many: Many) -> Orchestration[Number]:
        first = yield from call(ctx, activity, Number(0))
        rest = yield from call_all(
            ctx, activity, [Number(value) for value in range(1, many.count)], at_once=many.at_once
        )
        return Number(first.value + sum(number.value for number in rest))

    workflow = Workflow("total", Many, Number, total)
    resources = Resources(
        clients=cast("Clients", None),
        clock=lambda: datetime.now(UTC),
        rng=random.Random(1),
        report=lambda _progress: None,
    )
    async with LocalEngine(resources, [activity], [workflow]) as opened:
        yield opened, workflow


type Opened = tuple[LocalEngine, Workflow[Many, Number]]


async def test_activities_are_fanned_out_and_bounded(engine_and_workflow: Opened, behaviour: Behaviour) -> None:
    three = asyncio.Barrier(3)

    async def together(value: int, _attempt: int) -> None:
        if value > 0:
            async with asyncio.timeout(300):
                await three.wait()
            await asyncio.sleep(0.02)  # a fourth would have the time to come

    behaviour.act = together
    opened, workflow = engine_and_workflow
    assert await opened.run(workflow, Many(10)) == Number(90)
    assert behaviour.most_running == 3


async def test_what_may_pass_is_tried_again(engine_and_workflow: Opened, behaviour: Behaviour) -> None:
    async def busy_twice(value: int, attempt: int) -> None:
        if value == 4 and attempt < 3:
            raise OverloadedError("busy", on="x", do="wait")

    behaviour.act = busy_twice
    opened, workflow = engine_and_workflow
    assert await opened.run(workflow, Many(6)) == Number(30)
    assert behaviour.started == {0: 1, 1: 1, 2: 1, 3: 1, 4: 3, 5: 1}


async def test_trying_again_has_an_end(engine_and_workflow: Opened, behaviour: Behaviour) -> None:
    async def always_busy(_value: int, _attempt: int) -> None:
        raise OverloadedError("busy", on="x", do="wait")

    behaviour.act = always_busy
    opened, workflow = engine_and_workflow
    with pytest.raises(OverloadedError, match="busy"):
        await opened.run(workflow, Many(1))
    assert behaviour.started == {0: indexvault.workflow.calls.ATTEMPTS}


async def test_a_refusal_ends_the_run_after_what_runs_has_ended(
    engine_and_workflow: Opened, behaviour: Behaviour
) -> None:
    async def refuse_two(value: int, _attempt: int) -> None:
        if value == 2:
            raise RefusedError("no } way", on="{x", do="change it")
        await asyncio.sleep(0.5)

    behaviour.act = refuse_two
    opened, workflow = engine_and_workflow
    with pytest.raises(RefusedError) as raised:
        await opened.run(workflow, Many(50))
    assert str(raised.value) == "{x: no } way. change it"
    assert behaviour.running == 0
    assert len(behaviour.started) < 8


async def test_an_unexpected_error_is_told_without_its_text(engine_and_workflow: Opened, behaviour: Behaviour) -> None:
    async def break_down(_value: int, _attempt: int) -> None:
        raise KeyError("secret")

    behaviour.act = break_down
    opened, workflow = engine_and_workflow
    with pytest.raises(IndexvaultError, match="KeyError") as raised:
        await opened.run(workflow, Many(1))
    assert "secret" not in str(raised.value)


async def test_cancelling_stops_what_runs(behaviour: Behaviour, engine_and_workflow: Opened) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def stay(_value: int, _attempt: int) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            over.set()

    behaviour.act = stay
    opened, workflow = engine_and_workflow
    running = asyncio.create_task(opened.run(workflow, Many(1)))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await over.wait()
    assert behaviour.cancelled == 1


def test_temporary_files_may_lie_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    backend = PrivateBackend()
    socket = Path(backend.start().removeprefix("unix:"))
    try:
        assert socket.is_socket()
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    finally:
        backend.stop()
    assert not socket.parent.exists()


async def test_nobody_else_can_reach_the_engine(engine_and_workflow: Opened) -> None:
    opened, _workflow = engine_and_workflow
    assert opened.address.startswith("unix:")
    folder = Path(opened.address.removeprefix("unix:")).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_an_engine_that_has_done_its_work_ends_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    resources = Resources(
        clients=cast("Clients", None),
        clock=lambda: datetime.now(UTC),
        rng=random.Random(1),
        report=lambda _progress: None,
    )
    activity = Activity("double", Number, Number, Behaviour().double)

    def once(ctx: OrchestrationContext, number: Number) -> Orchestration[Number]:
        return (yield from call(ctx, activity, number))

    workflow = Workflow("once", Number, Number, once)
    async with LocalEngine(resources, [activity], [workflow]) as opened:
        assert await opened.run(workflow, Number(1)) == Number(2)
    assert [record.message for record in caplog.records if record.levelname not in {"DEBUG", "INFO"}] == []
