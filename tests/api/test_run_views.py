"""How a run is shown while it works."""

from datetime import UTC, datetime, timedelta

from indexvault.api.run_views import view_run
from indexvault.errors import UnreachableError
from indexvault.model import IndexName
from indexvault.workflow.progress import RunProgress, StageProgress
from indexvault.workflow.runs import Item, ItemState, Outcome, RunRecord, RunState, cancelled, closed, with_outcome

NOW = datetime(2026, 11, 20, 2, 10, tzinfo=UTC)
RECORD = RunRecord(
    run="20261120T020000Z-backup-7f3a9c",
    kind="backup",
    workflow="run_backup",
    service="contoso-east",
    asked="indexes * of contoso-east",
    owner="POST /backups",
    created=NOW,
    state="running",
    items=[Item(index=IndexName("contoso-east", name), run=f"run-{name}", job={}) for name in ("hotels", "rooms")],
)
HALF = RunProgress(NOW - timedelta(seconds=100), {"read": StageProgress(documents=5_000, bytes=10, expected=10_000)})


def test_progress_gives_rate_and_time_left() -> None:
    hotels, rooms = view_run(RECORD, {"run-hotels": HALF}, NOW).indexes
    assert (hotels.state, hotels.documents, hotels.expected, hotels.rate) == ("running", 5_000, 10_000, 50.0)
    assert hotels.seconds_left == 100
    assert (rooms.state, rooms.documents) == ("waiting", None)


def test_time_left_of_the_whole_is_not_guessed_while_an_index_waits() -> None:
    assert view_run(RECORD, {"run-hotels": HALF}, NOW).seconds_left is None
    assert view_run(RECORD, {"run-hotels": HALF, "run-rooms": HALF}, NOW).seconds_left == 100


def test_failures_are_told_in_words() -> None:
    error = UnreachableError("it did not answer", on="contoso-east", do="Try again")
    record = with_outcome(RECORD, "run-hotels", Outcome(state="failed", failure=error.record()), NOW)
    shown = view_run(record, {}, NOW).indexes[0]
    assert shown.failure == "contoso-east: it did not answer. Try again"


def test_a_run_ends_as_its_worst_index() -> None:
    ends: dict[tuple[ItemState, ItemState], RunState] = {
        ("done", "done"): "done",
        ("done", "gone"): "done",
        ("done", "lossy"): "lossy",
        ("lossy", "failed"): "failed",
        ("done", "waiting"): "failed",
    }
    for states, end in ends.items():
        record = RECORD
        for item, state in zip(RECORD.items, states, strict=True):
            record = with_outcome(record, item.run, Outcome(state=state), NOW)
        assert closed(record, NOW).state == end, states


def test_cancelling_keeps_what_was_finished() -> None:
    record = cancelled(with_outcome(RECORD, "run-hotels", Outcome(state="done", documents=3), NOW), NOW)
    assert [item.outcome.state for item in record.items] == ["done", "cancelled"]
    assert view_run(record, {"run-rooms": HALF}, NOW).indexes[1].state == "cancelled"
