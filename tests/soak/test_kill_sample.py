"""A sample of the kills at every write; `python -m tests.soak kill` does them all."""

import pytest

from tests.soak.kill_every_write import CASES, Case, kills, perform

STRIDE = 131


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_what_is_killed_at_a_write_comes_to_a_good_end(case: Case) -> None:
    every = kills(case)
    for kill in every[CASES.index(case) % min(STRIDE, len(every)) :: STRIDE]:
        perform(kill)
