"""A bounded number of random sequences; `python -m tests.soak` runs as many as there is time for."""

import pytest

from tests.soak.sequences import play

SEEDS = range(16)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_falsely_said(seed: int) -> None:
    result = play(seed)
    assert result.rule is None, "\n".join([result.detail, *result.log, f"python -m tests.soak --seed {seed}"])
