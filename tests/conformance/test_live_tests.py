"""The SDK's own live tests pass on the emulator, sync and aio, but for those that out_of_scope.toml names."""

from pathlib import Path

import pytest

from emulator.faults import Plan, Rule
from tests.conformance.live_tests import FILES, run_file
from tests.conformance.outcomes import out_of_scope, verdicts


@pytest.mark.parametrize("file", FILES)
async def test_live_tests_of(file: str, sdk_source: Path) -> None:
    judged = verdicts(await run_file(sdk_source, file), [entry for entry in out_of_scope() if entry.file == file])
    assert judged
    assert [f"{one.outcome.test}: {one.why}" for one in judged if one.result == "failed"] == []


def test_every_live_test_of_the_source_runs(sdk_source: Path) -> None:
    assert {path.name for path in (sdk_source / "tests").glob("test_*live*.py")} == set(FILES)
    assert len(FILES) == 26


async def test_live_tests_notice_a_service_that_lags(sdk_source: Path) -> None:
    """The SDK's tests are run without their waits: if that, or the stand-ins, made them blind, they would pass here."""
    lagging = Plan(rules=[Rule(fault="lagging_visibility", seconds=60)])
    outcomes = await run_file(sdk_source, "test_search_client_basic_live.py", faults=lagging)
    assert {outcome.test: outcome.passed for outcome in outcomes} == {
        "test_get_document_count": False,
        "test_get_document": False,
        "test_get_document_missing": True,
    }
