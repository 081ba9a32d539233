"""A source whose definition changes while it is moved: what its target lacks is told, and the source is kept."""

import pytest

from tests.move.two_services import DOCUMENTS, TwoServices, definition, played
from tests.soak.stage import EAST, WEST

RESTORED = " delete restores/"
REMARKS = {"name": "remarks", "type": "Edm.String"}
LACKS = "lacks the fields remarks"


def with_remarks(services: TwoServices, service: str = EAST) -> None:
    """Add a field to an index, and to the source its values."""
    wanted = definition(ordered=services.ordered)
    wanted["fields"].append(REMARKS)
    services.tell(service, "PUT", "/indexes/notes", wanted)
    if service == EAST:
        remarks = [{"id": f"n{number:04}", "remarks": f"remark {number}"} for number in range(DOCUMENTS)]
        services.write(EAST, *remarks, action="merge")


def with_profile(services: TwoServices) -> None:
    wanted = definition(ordered=services.ordered)
    services.tell(EAST, "PUT", "/indexes/notes", {**wanted, "scoringProfiles": [{"name": "by text"}]})


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("options", [("--delete-source",), ("--alias", "readers")])
def test_a_field_that_the_target_lacks_is_no_equality(options: tuple[str, ...], *, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        ended = await services.move(*options, watch=services.just_before(RESTORED, with_remarks))
        assert (ended.code, ended.kind) == (6, "VerificationError"), ended.error
        assert LACKS in ended.error
        assert services.deletions == []
        assert "readers" not in services.stage.service(WEST).resources["aliases"]

    played(act, ordered=ordered)


def test_a_field_that_is_added_to_the_target_too_is_caught_up_with() -> None:
    async def act(services: TwoServices) -> None:
        assert (await services.move_and_delete(watch=services.just_before(RESTORED, with_remarks))).code == 6
        with_remarks(services, WEST)
        ended = await services.move_and_delete()
        assert ended.code == 0, ended.error
        assert len(services.deletions) == 1
        assert (services.stage.dump(WEST, "notes") or {})["n0007"]["remarks"] == "remark 7"

    played(act, ordered=True)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_snapshot_from_before_a_field_was_added_is_not_the_source(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        made = await services.stage.run("backup", EAST, "notes")
        with_remarks(services)
        ended = await services.move_and_delete("--snapshot", f"{EAST}/notes@{made.record('backup')['snapshot']}")
        assert (ended.code, ended.kind) == (6, "VerificationError"), ended.error
        assert LACKS in ended.error
        assert services.deletions == []

    played(act, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_source_whose_definition_was_changed_is_kept(*, ordered: bool) -> None:
    async def act(services: TwoServices) -> None:
        ended = await services.move_and_delete(watch=services.just_before(RESTORED, with_profile))
        assert ended.code == 0, ended.error
        (note,) = (note for note in ended.record("move")["notes"] if "kept" in note)
        assert "its definition was changed since" in note
        assert services.deletions == []

    played(act, ordered=ordered)
