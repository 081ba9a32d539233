import pytest

from tests.soak.kill_every_write import Case
from tests.soak.pauses import SUSPENDED, requests_of, suspend

SAMPLE = [pytest.param(case, id=case.name) for case in SUSPENDED if case.name in {"backup", "prune", "import"}]


@pytest.mark.parametrize("case", SAMPLE)
@pytest.mark.parametrize("meanwhile", ["backups and prunes", "a prune soon after"])
def test_an_operation_that_was_suspended_near_its_end_loses_nothing(case: Case, meanwhile: str) -> None:
    requests = requests_of(case)
    for pause_at in range(max(1, requests - 12), requests + 1, 3):
        suspend(case, pause_at, meanwhile)
