"""How many runs requests may leave unfinished."""

import random
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from msgspec.structs import replace

from indexvault.api.endpoint import Call, Nothing, caller_of
from indexvault.api.problems import problem_of
from indexvault.api.start_run import start_run
from indexvault.backup.run import claim_of, item_for
from indexvault.errors import ConflictError, SettingsError, TooManyRunsError
from indexvault.settings.load import read_settings
from indexvault.settings.model import RequestLimits
from indexvault.workflow.functions_host import FunctionsHost
from indexvault.workflow.runs import RunRecord, Runs, cancelled
from tests.memory_store import MemoryStore
from tests.world import EAST, World, open_world

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)
OURS, OTHERS = caller_of({"x-functions-key": "ours"}, {}), caller_of({}, {"code": "others"})


class Idle:
    """An engine that takes every run and does nothing."""

    async def start(self, _workflow: str, _order: object) -> bool:
        return True


def record(number: int, policy: str | None = None) -> RunRecord:
    return RunRecord(
        run=f"20261120T020000Z-backup-{number:06x}",
        kind="backup",
        workflow="run_backup",
        service=EAST,
        asked="an index",
        owner="a test",
        created=NOW,
        policy=policy,
    )


async def ask(world: World, number: int, caller: str, limits: RequestLimits) -> int:
    host = FunctionsHost({}, rng=random.Random(1))
    settings = replace(world.clients.settings, requests=limits)
    world.clients.settings = settings
    host.resources = world.resources
    call = Call(
        body=None, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", Idle()), caller=caller
    )  # fmt: skip
    wanted = record(number)
    item = item_for(wanted, f"index-{number}", 0)
    return (await start_run(call, replace(wanted, items=[item]), [claim_of(wanted, item)])).status


async def test_a_key_has_so_many_unfinished_runs_and_no_more() -> None:
    limits = RequestLimits(runs_per_key=2, runs=50)
    async with open_world(MemoryStore("local")) as world:
        assert [await ask(world, number, OURS, limits) for number in (1, 2)] == [202, 202]
        with pytest.raises(TooManyRunsError, match="2 runs of this function key are unfinished"):
            await ask(world, 3, OURS, limits)
        assert await ask(world, 4, OTHERS, limits) == 202
        assert await Runs(world.store.runs).read(record(3).run) is None
        await Runs(world.store.runs).change(record(1).run, lambda found: cancelled(found, NOW))
        assert await ask(world, 5, OURS, limits) == 202


async def test_all_keys_together_have_a_limit_and_policies_are_not_counted() -> None:
    limits = RequestLimits(runs_per_key=9, runs=2)
    async with open_world(MemoryStore("local")) as world:
        await Runs(world.store.runs).create(record(1, policy="nightly"))
        assert [await ask(world, 2, OURS, limits), await ask(world, 3, OTHERS, limits)] == [202, 202]
        with pytest.raises(TooManyRunsError, match="2 runs are unfinished"):
            await ask(world, 4, "a third", limits)


def test_the_refusal_is_429_and_a_conflict_for_older_clients() -> None:
    error = TooManyRunsError("too many", on="runs", do="Wait")
    assert problem_of(error).status == 429
    assert isinstance(error, ConflictError)


def test_callers_are_told_apart_and_their_keys_are_not_told() -> None:
    assert OURS != OTHERS
    assert caller_of({"x-functions-key": "ours"}, {"code": "others"}) == OURS
    assert caller_of({"x-functions-key": "ours, another"}, {}) == OURS
    assert caller_of({}, {"code": "others,another"}) == OTHERS
    assert caller_of({}, {}) == ""
    assert "ours" not in OURS
    assert len(OURS) == 12


def test_the_limits_are_settings() -> None:
    settings = read_settings('{"stores": {}, "services": {}, "requests": {"runs_per_key": 3}}')
    assert settings.requests == RequestLimits(runs_per_key=3, runs=50)
    with pytest.raises(SettingsError, match="requests"):
        read_settings('{"stores": {}, "services": {}, "requests": {"runs": 0}}')
