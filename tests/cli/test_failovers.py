"""What a failover prints."""

from datetime import UTC, datetime, timedelta

from indexvault.cli.failovers import _lines
from indexvault.recovery.failover_job import FailoverReport, IndexResult

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)


def test_an_index_that_was_only_compared_says_what_became_of_it() -> None:
    report = FailoverReport(
        pair="hot",
        mode="hot-hot",
        source="hot-west",
        to="hot-east",
        generation=2,
        run="failover-1",
        planned=True,
        started=NOW,
        finished=NOW + timedelta(seconds=1),
        recovery_point=timedelta(minutes=2),
        recovery_time=timedelta(minutes=5),
        window=timedelta(0),
        indexes=[IndexResult(index="products", outcome="left as it is")],
    )
    assert "  products: left as it is" in [line.plain for line in _lines(report)]
