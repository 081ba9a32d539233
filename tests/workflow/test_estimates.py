"""How far a run is, whatever its kind."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from indexvault.workflow.estimates import estimate
from indexvault.workflow.progress import RunProgress, StageProgress
from indexvault.workflow.runs import RunKind

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize("kind", get_args(RunKind.__value__))
def test_every_kind_of_run_has_an_estimate(kind: RunKind) -> None:
    stages = {"verify": StageProgress(50, 500, 100)}
    found = estimate(kind, RunProgress(started=NOW - timedelta(seconds=10), stages=stages), NOW)
    assert found.whole is not None
    assert found.whole % 100 == 0
    assert found.seconds_left is not None
