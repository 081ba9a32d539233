import pytest

from indexvault.workflow.patience import growing_pauses


@pytest.mark.parametrize("seconds", [1.0, 7.5, 60.0, 600.0, 3600.0])
def test_pauses_grow_and_add_up(seconds: float) -> None:
    pauses = list(growing_pauses(seconds))
    assert sum(pauses) == pytest.approx(seconds)
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) <= 60


def test_ten_minutes_are_a_few_requests() -> None:
    assert len(list(growing_pauses(600))) < 20


def test_nothing_to_wait() -> None:
    assert list(growing_pauses(0)) == []
