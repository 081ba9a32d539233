"""Moves that leave documents out, or can't compare something: what is told, and that the source is kept."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from indexvault.workflow.lock import LEASE_SECONDS
from tests.move.scene import DOCUMENTS, Scene, document, played
from tests.soak.process import KilledError
from tests.soak.stage import EAST, WEST

REFUSED = [f"n{number:04}" for number in range(3, 8)]
ALIAS = ("--alias", "readers")
WITHOUT_ORDER = '{"fields": {"id": {"filterable": false, "sortable": false}}}'


def refuse_some(scene: Scene) -> None:
    scene.stage.emulated[WEST].refuses = re.compile("n000[3-7]")


@pytest.mark.parametrize("ordered", [False, True])
def test_a_source_is_kept_while_the_target_lacks_refused_documents(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        refuse_some(scene)
        for _ in range(2):
            ended = await scene.move_and_delete("--skip-refused", *ALIAS)
            assert (ended.code, ended.kind) == (6, "VerificationError"), ended.error
            assert "lacks 5 documents that it refused; the other 40 are as in the source" in ended.error
        assert scene.deletions == []
        assert scene.keys(EAST) - scene.keys(WEST) == set(REFUSED)
        assert "readers" not in scene.stage.service(WEST).resources["aliases"]

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_flag_that_names_the_loss_deletes_the_source(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        refuse_some(scene)
        assert (await scene.move_and_delete("--skip-refused")).code == 6
        ended = await scene.move_and_delete("--skip-refused", "--lose-refused")
        assert ended.code == 3, ended.error
        report = ended.record("move")
        assert (report["compared"], report["excepted"], report["source_deleted"]) == (40, 5, True)
        assert not scene.has(EAST)
        scene.deletions.clear()

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_the_same_move_that_no_longer_deletes_the_source_ends(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        refuse_some(scene)
        assert (await scene.move_and_delete("--skip-refused")).code == 6
        ended = await scene.move("--skip-refused")
        assert ended.code == 3, ended.error
        assert ended.record("move")["source_deleted"] is False
        assert scene.keys(EAST) == {f"n{number:04}" for number in range(DOCUMENTS)}

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_refused_documents_are_told_once_however_often_the_move_went_on(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        refuse_some(scene)
        assert (await scene.move(*ALIAS)).kind == "RefusedError"
        for position in (15, 30, 45):
            killed = await scene.move("--skip-refused", *ALIAS, kill_at=position, kill_when="after", only_changes=True)
            assert killed.code is None
            await asyncio.sleep(LEASE_SECONDS)
        ended = await scene.move("--skip-refused", *ALIAS)
        assert ended.code == 3, ended.error
        report = ended.record("move")
        assert (report["compared"], report["excepted"]) == (40, 5)
        told = [note for note in report["notes"] if "refused" in note]
        assert len(told) == 1
        assert told[0].startswith("5 documents were refused and skipped: reports/")
        blob = await scene.stage.stores["local"].runs.read(told[0].rpartition(" ")[2], 2**20)
        assert blob is not None
        assert [each["key"] for each in msgspec.json.decode(blob.data)] == REFUSED

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_refused_document_is_missing_to_who_does_not_skip_it(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        refuse_some(scene)
        assert (await scene.move_and_delete("--skip-refused")).code == 6
        ended = await scene.move_and_delete()
        assert ended.kind == ("RefusedError" if ordered else "VerificationError"), ended.error
        assert scene.deletions == []

    played(act, ordered=ordered)


def test_a_patch_that_takes_the_order_of_keys_away_is_proved_by_looking_up(tmp_path: Path) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text(WITHOUT_ORDER)

    async def act(scene: Scene) -> None:
        ended = await scene.move_and_delete("--patch", str(patch))
        assert ended.code == 0, ended.error
        assert (ended.record("move")["compared"], len(scene.deletions)) == (DOCUMENTS, 1)

    played(act, ordered=True)


def removed(scene: Scene) -> None:
    scene.remove(WEST, 7)


def changed(scene: Scene) -> None:
    scene.write(WEST, document(7, "changed by somebody"))


def added(scene: Scene) -> None:
    scene.write(WEST, document(9_999))


@pytest.mark.parametrize(
    ("happens", "found"),
    [
        (removed, "0 documents differ, 1 are missing, 0 extra"),
        (changed, "1 documents differ, 0 are missing, 0 extra"),
        (added, "0 documents differ, 0 are missing, 1 extra"),
    ],
)
def test_what_is_wrong_with_a_target_without_order_is_found(
    happens: Callable[[Scene], None], found: str, tmp_path: Path
) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text(WITHOUT_ORDER)

    async def act(scene: Scene) -> None:
        watch = scene.just_before(" delete restores/", happens)
        ended = await scene.move_and_delete("--patch", str(patch), watch=watch)
        assert ended.code == 6, ended.error
        assert found in ended.error
        assert scene.deletions == []

    played(act, ordered=True)


def test_what_users_of_the_alias_wrote_is_not_undone_when_the_move_goes_on() -> None:
    async def act(scene: Scene) -> None:
        def kill_at_the_deletion(label: str) -> None:
            if label.startswith(f"{EAST} DELETE"):
                raise KilledError(label)

        killed = await scene.move_and_delete(*ALIAS, watch=kill_at_the_deletion)
        assert killed.code != 0
        scene.write(WEST, document(9_999, "by a user of the alias"))
        ended = await scene.move_and_delete(*ALIAS)
        assert ended.code == 6, ended.error
        assert "the alias readers leads to the target already, so it is left as it is" in ended.error
        assert "n9999" in scene.keys(WEST)
        assert scene.deletions == []

    played(act, ordered=True)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_target_that_lost_documents_after_the_comparison_keeps_the_source(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        watch = scene.just_before(f"{WEST} PUT /aliases", removed)
        ended = await scene.move_and_delete(*ALIAS, watch=watch)
        assert (ended.code, ended.kind) == (5, "ConflictError"), ended.error
        assert "changed after it had been compared, so the source" in ended.error
        assert scene.deletions == []

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_source_that_came_again_after_its_deletion_empties_no_target(*, ordered: bool) -> None:
    async def act(scene: Scene) -> None:
        def kill_after_the_deletion(_label: str) -> None:
            if scene.deletions and not scene.has(EAST):
                raise KilledError("after the deletion")

        await scene.move_and_delete(watch=kill_after_the_deletion)
        assert len(scene.deletions) == 1
        scene.create(EAST, range(1))
        for _ in range(2):
            ended = await scene.move_and_delete()
            assert (ended.code, ended.kind) == (5, "ConflictError"), ended.error
            assert "was about to delete it" in ended.error
        assert len(scene.keys(WEST)) == DOCUMENTS
        assert scene.has(EAST)

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_fields_that_the_target_hides_keep_the_source(tmp_path: Path, *, ordered: bool) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text('{"fields": {"text": {"retrievable": false}}}')

    async def act(scene: Scene) -> None:
        def update(scene: Scene) -> None:
            scene.write(EAST, document(7, "written after the snapshot"))

        watch = scene.just_before(" delete restores/", update)
        ended = await scene.move_and_delete("--patch", str(patch), watch=watch)
        assert scene.deletions == [], ended.error
        assert ended.record("move")["source_deleted"] is False
        assert any("text can't be compared" in note for note in ended.record("move")["notes"])

    played(act, ordered=ordered)
