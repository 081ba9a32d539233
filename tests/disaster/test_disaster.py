"""A region dies with service, store and app, and comes back: the whole story on one machine, in small."""

from pathlib import Path

import pytest

from tests.disaster.__main__ import report
from tests.disaster.scenario import Disaster, Size
from tests.disaster.settings import PAIRS, WARM
from tests.disaster.story import play


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [(WARM,), PAIRS], ids="-".join)
def test_a_region_dies_and_comes_back(tmp_path: Path, pairs: tuple[str, ...]) -> None:
    told: list[str] = []
    disaster = Disaster(tmp_path, Size(pairs, documents=60, before=2.0, after=1.0), told.append)
    with disaster.running():
        play(disaster)
    assert [each for each in disaster.checks if not each.holds] == [], "\n".join([*told, *report(disaster)])
    assert len(disaster.checks) > 15 * len(pairs) - 5
