"""Moves that leave documents out, or can't compare something: what is told, and that the source is kept."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from indexvault.workflow.lock import LEASE_SECONDS
from tests.move.two_services import DOCUMENTS, TwoServices, document, played
from tests.soak.process import KilledError
from tests.soak.stage import EAST, WEST

REFUSED = [f"n{number:04}" for number in range(3, 8)]
ALIAS = ("--alias", "readers")
WITHOUT_ORDER = '{"fields": {"id": {"filterable": false, "sortable": false}}}'


def refuse_some(services: TwoServices) -> None:
    services.stage.emulated[WEST].refuses = re.compile("n000[3-7]")


@pytest.mark.parametrize("ordered", [False, True])
def test_a_source_is_kept_while_the_target_lacks_refused_documents(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        refuse_some(services)
        for _ in range(2):
            ended = await services.move_and_delete("--skip-refused", *ALIAS)
            assert (ended.code, ended.kind) == (6, "VerificationError"), ended.error
            assert "lacks 5 documents that it refused; the other 40 are as in the source" in ended.error
        assert services.deletions == []
        assert services.keys(EAST) - services.keys(WEST) == set(REFUSED)
        assert "readers" not in services.stage.service(WEST).resources["aliases"]

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_flag_that_names_the_loss_deletes_the_source(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        refuse_some(services)
        assert (await services.move_and_delete("--skip-refused")).code == 6
        ended = await services.move_and_delete("--skip-refused", "--lose-refused")
        assert ended.code == 3, ended.error
        report = ended.record("move")
        assert (report["compared"], report["excepted"], report["source_deleted"]) == (40, 5, True)
        assert not services.has(EAST)
        services.deletions.clear()

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_the_same_move_that_no_longer_deletes_the_source_ends(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        refuse_some(services)
        assert (await services.move_and_delete("--skip-refused")).code == 6
        ended = await services.move("--skip-refused")
        assert ended.code == 3, ended.error
        assert ended.record("move")["source_deleted"] is False
        assert services.keys(EAST) == {f"n{number:04}" for number in range(DOCUMENTS)}

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_refused_documents_are_told_once_however_often_the_move_went_on(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        refuse_some(services)
        assert (await services.move(*ALIAS)).kind == "RefusedError"
        for position in (15, 30, 45):
            killed = await services.move(
                "--skip-refused", *ALIAS, kill_at=position, kill_when="after", only_changes=True
            )
            assert killed.code is None
            await asyncio.sleep(LEASE_SECONDS)
        ended = await services.move("--skip-refused", *ALIAS)
        assert ended.code == 3, ended.error
        report = ended.record("move")
        assert (report["compared"], report["excepted"]) == (40, 5)
        told = [note for note in report["notes"] if "refused" in note]
        assert len(told) == 1
        assert told[0].startswith("5 documents were refused and skipped: reports/")
        blob = await services.stage.stores["local"].runs.read(told[0].rpartition(" ")[2], 2**20)
        assert blob is not None
        assert [each["key"] for each in msgspec.json.decode(blob.data)] == REFUSED

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_refused_document_is_missing_to_who_does_not_skip_it(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        refuse_some(services)
        assert (await services.move_and_delete("--skip-refused")).code == 6
        ended = await services.move_and_delete()
        assert ended.kind == ("RefusedError" if ordered else "VerificationError"), ended.error
        assert services.deletions == []

    played(act, ordered=ordered)


def test_a_patch_that_takes_the_order_of_keys_away_is_proved_by_looking_up(tmp_path: Path) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text(WITHOUT_ORDER)

    async def act(services: TwoServices) -> None:
        ended = await services.move_and_delete("--patch", str(patch))
        assert ended.code == 0, ended.error
        assert (ended.record("move")["compared"], len(services.deletions)) == (DOCUMENTS, 1)

    played(act, ordered=True)


def removed(services: TwoServices) -> None:
    services.remove(WEST, 7)


def changed(services: TwoServices) -> None:
    services.write(WEST, document(7, "changed by somebody"))


def added(services: TwoServices) -> None:
    services.write(WEST, document(9_999))


@pytest.mark.parametrize(
    ("happens", "found"),
    [
        (removed, "0 documents differ, 1 are missing, 0 extra"),
        (changed, "1 documents differ, 0 are missing, 0 extra"),
        (added, "0 documents differ, 0 are missing, 1 extra"),
    ],
)
def test_what_is_wrong_with_a_target_without_order_is_found(
    happens: Callable[[TwoServices], None], found: str, tmp_path: Path
) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text(WITHOUT_ORDER)

    async def act(services: TwoServices) -> None:
        watch = services.just_before(" delete restores/", happens)
        ended = await services.move_and_delete("--patch", str(patch), watch=watch)
        assert ended.code == 6, ended.error
        assert found in ended.error
        assert services.deletions == []

    played(act, ordered=True)


def test_what_users_of_the_alias_wrote_is_not_undone_when_the_move_goes_on() -> None:
    async def act(services: TwoServices) -> None:
        def kill_at_the_deletion(label: str) -> None:
            if label.startswith(f"{EAST} DELETE"):
                raise KilledError(label)

        killed = await services.move_and_delete(*ALIAS, watch=kill_at_the_deletion)
        assert killed.code != 0
        services.write(WEST, document(9_999, "by a user of the alias"))
        ended = await services.move_and_delete(*ALIAS)
        assert ended.code == 6, ended.error
        assert "the alias readers leads to the target already, so it is left as it is" in ended.error
        assert "n9999" in services.keys(WEST)
        assert services.deletions == []

    played(act, ordered=True)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_target_that_lost_documents_after_the_comparison_keeps_the_source(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        watch = services.just_before(f"{WEST} PUT /aliases", removed)
        ended = await services.move_and_delete(*ALIAS, watch=watch)
        assert (ended.code, ended.kind) == (5, "ConflictError"), ended.error
        assert "changed after it had been compared, so the source" in ended.error
        assert services.deletions == []

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_source_that_came_again_after_its_deletion_empties_no_target(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        def kill_after_the_deletion(_label: str) -> None:
            if services.deletions and not services.has(EAST):
                raise KilledError("after the deletion")

        await services.move_and_delete(watch=kill_after_the_deletion)
        assert len(services.deletions) == 1
        services.create(EAST, range(1))
        for _ in range(2):
            ended = await services.move_and_delete()
            assert (ended.code, ended.kind) == (5, "ConflictError"), ended.error
            assert "was about to delete it" in ended.error
        assert len(services.keys(WEST)) == DOCUMENTS
        assert services.has(EAST)

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_fields_that_the_target_hides_keep_the_source(tmp_path: Path, *, ordered: bool) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text('{"fields": {"text": {"retrievable": false}}}')

    async def act(services: TwoServices) -> None:
        def update(services: TwoServices) -> None:
            services.write(EAST, document(7, "written after the snapshot"))

        watch = services.just_before(" delete restores/", update)
        ended = await services.move_and_delete("--patch", str(patch), watch=watch)
        assert services.deletions == [], ended.error
        assert ended.record("move")["source_deleted"] is False
        assert any("text can't be compared" in note for note in ended.record("move")["notes"])

    played(act, ordered=ordered)
