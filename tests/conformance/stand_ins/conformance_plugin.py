"""What pytest does differently while it runs the SDK's live tests, which are left as they are.

- Nothing waits. The tests sleep until documents can be found and indexers have settled. An emulator without faults
  makes everything visible before it answers, and here it has to: a lag fails the tests.
- Nothing is skipped. A skip that the SDK's authors needed for their service is noted in the result and the test runs.
- A test that is too coarse runs by its steps as well; see COARSE.
- Results go, one JSON object a line, to the file that CONFORMANCE_RESULTS names.
"""

import inspect
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COARSE = frozenset({"test_skillset_crud"})
"""Tests whose first steps can't pass on any service and would hide the others: each of their steps runs on its own."""

_SKIPPED = "skipped upstream"


def pytest_configure() -> None:
    """Let no test wait."""
    time.sleep = _no_wait


def _no_wait(_seconds: object) -> None:
    pass


def pytest_pycollect_makeitem(obj: object) -> None:
    """Add a test for each step of a coarse test to the class that has it."""
    for name in COARSE & set(vars(obj)) if inspect.isclass(obj) else ():
        for step in [step for step in vars(obj) if step.startswith("_test_")]:
            setattr(obj, f"{name}_step{step.removeprefix('_test')}", _step(vars(obj)[step]))


def _step(step: Callable[..., Any]) -> Callable[..., Any]:
    """Make a test of a step: with a clean service, and a client if the step takes one."""
    # Imported when a step is met: these come with the tests, and only one file has steps.
    from azure.search.documents.indexes import SearchIndexerClient  # noqa: PLC0415 -- see above
    from azure.search.documents.indexes.aio import SearchIndexerClient as AsyncClient  # noqa: PLC0415 -- see above
    from devtools_testutils import get_credential  # type: ignore[import-not-found] # noqa: PLC0415 -- on the path then
    from search_service_preparer import (  # type: ignore[import-not-found] # noqa: PLC0415 -- beside the tests then
        SearchEnvVarPreparer,
        search_decorator,
    )

    def synchronous(self: object, endpoint: str) -> None:
        with SearchIndexerClient(endpoint, get_credential()) as client:
            step(self, *[client][: len(inspect.signature(step).parameters) - 1])

    async def asynchronous(self: object, endpoint: str) -> None:
        async with AsyncClient(endpoint, get_credential()) as client:
            await step(self, client)

    test = asynchronous if inspect.iscoroutinefunction(step) else synchronous
    prepared: Callable[..., Any] = SearchEnvVarPreparer()(search_decorator(schema=None, index_batch=None)(test))
    return prepared


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the skips away, and keep what they said."""
    for item in items:
        for mark in [mark for mark in item.own_markers if mark.name == "skip"]:
            item.own_markers.remove(mark)
            item.user_properties.append((_SKIPPED, mark.kwargs.get("reason") or mark.args[0]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test's result, or what went wrong around it."""
    if report.when != "call" and report.passed:
        return
    _, _, name = report.nodeid.rpartition("::")
    crash = getattr(report.longrepr, "reprcrash", None)
    why = str(crash.message if crash else report.longrepr or "").strip()
    _note(name, passed=report.passed, why=why, upstream=dict(report.user_properties).get(_SKIPPED))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a file that can't be read."""
    if report.failed:
        _note("(collection)", passed=False, why=str(report.longrepr), upstream=None)


def _note(test: str, *, passed: bool, why: str, upstream: object) -> None:
    result = {"test": test, "passed": passed, "why": why, "skipped_upstream": upstream}
    with Path(os.environ["CONFORMANCE_RESULTS"]).open("a", encoding="utf-8") as results:
        results.write(json.dumps(result) + "\n")
