"""The peak memory that docs/security.md states, under each hostile answer, blob and file."""

import pytest

from benchmarks.hostile import ATTACKS, measure

MOST = {"store: manifest of 400,000 chunks": 320}
TAKEN = {"store: manifest of 400,000 chunks", "folder: line of 31 MB, which is taken"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
async def test_the_peak_under_an_attack(name: str) -> None:
    peak = await measure(name)
    assert peak.mebibytes <= MOST.get(name, 160), peak
    assert (peak.outcome == "taken") == (name in TAKEN), peak
