"""What a move hands on to the restores that it makes."""

import pytest

from indexvault.model import Mode, shared_options
from indexvault.move.job import MoveJob
from indexvault.restore.job import RestoreJob

JOB = MoveJob(
    service="east",
    index="hotels",
    target_service="west",
    target_index="hotels",
    run="a-run",
    alias="guests",
    patch="{}",
    overlay="secrets",
    accept_loss=True,
    allow_cross_region=True,
    skip_refused=True,
)


def restored(mode: Mode) -> RestoreJob:
    return JOB.restore("20261120T000000Z-7f3a9c", "local", mode, "a-restore")


@pytest.mark.parametrize(("mode", "changed"), [("create", {}), ("sync", {"overlay": None})])
def test_a_restore_has_the_options_of_its_move(mode: Mode, changed: dict[str, None]) -> None:
    assert shared_options(restored(mode)) == shared_options(JOB) | changed


def test_only_the_restore_that_creates_the_index_patches_its_definition() -> None:
    assert restored("create").patch == "{}"
    assert restored("sync").patch is None


def test_the_alias_is_left_to_the_move() -> None:
    assert restored("create").alias is None
