"""A source is deleted only while the target holds all of it: judged by what the emulator stores, not by a query."""

import functools
from collections.abc import Callable

import pytest

from tests.move.two_services import DOCUMENTS, TwoServices, document, played
from tests.soak.stage import EAST, WEST

type Event = Callable[[TwoServices], None]


def nothing(_services: TwoServices) -> None:
    pass


def target_emptied(services: TwoServices) -> None:
    if services.has(WEST):
        services.remove(WEST, *range(DOCUMENTS))


def target_lost_one(services: TwoServices) -> None:
    if services.has(WEST):
        services.remove(WEST, 7)


def target_changed_in_one(services: TwoServices) -> None:
    if "n0007" in services.keys(WEST):
        services.write(WEST, document(7, "changed by somebody"))


def target_with_another_in_place_of_one(services: TwoServices) -> None:
    if services.has(WEST):
        services.remove(WEST, 7)
        services.write(WEST, document(9_999))


def target_made_anew(services: TwoServices) -> None:
    if services.has(WEST):
        services.drop(WEST)
        services.create(WEST, range(5))


def source_updated(services: TwoServices) -> None:
    if services.has(EAST):
        services.write(EAST, document(7, "new text"))


def source_with_another_in_place_of_one(services: TwoServices) -> None:
    if services.has(EAST):
        services.remove(EAST, 7)
        services.write(EAST, document(9_999))


def source_made_anew(services: TwoServices) -> None:
    if services.has(EAST):
        services.drop(EAST)
        services.create(EAST, range(1_000, 1_000 + DOCUMENTS))


EVENTS: tuple[Event, ...] = (
    nothing,
    target_emptied,
    target_lost_one,
    target_changed_in_one,
    target_with_another_in_place_of_one,
    target_made_anew,
    source_updated,
    source_with_another_in_place_of_one,
    source_made_anew,
)


@functools.cache
def seams(*, ordered: bool) -> tuple[int, ...]:
    """Return the positions of the durable writes of a whole move, without those that only lock or tidy up."""
    found: list[str] = []

    async def act(services: TwoServices) -> None:
        ended = await services.move_and_delete()
        assert (ended.code, ended.crashes) == (0, []), ended.error
        assert len(services.deletions) == 1
        found.extend(ended.changes)

    played(act, ordered=ordered)
    return tuple(
        position for position, label in enumerate(found, 1) if " locks/" not in label and " delete runs/" not in label
    )


def killed_and_given_again(event: Event, position: int, *, ordered: bool) -> None:
    """Kill a move after a write, let something happen, and give the same command until it ends well, or three times."""

    async def act(services: TwoServices) -> None:
        killed = await services.move_and_delete(kill_at=position, kill_when="after", only_changes=True)
        assert (killed.code, killed.crashes) == (None, [])
        event(services)
        ended = killed
        for _ in range(3):
            ended = await services.move_and_delete()
            assert not ended.crashes
            if ended.code == 0:
                break
        assert services.deletions or services.has(EAST), killed.killed_at
        if event is nothing:
            assert len(services.deletions) == 1, (killed.killed_at, ended.error)
            was_over = any(" delete moves/" in label for label in killed.changes)
            assert ended.code == 0 or was_over, (killed.killed_at, ended.error)

    played(act, ordered=ordered)


SAMPLE = 5


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("event", EVENTS)
def test_no_order_of_kills_and_events_deletes_a_source_that_the_target_lacks(event: Event, *, ordered: bool) -> None:
    """A sample of the kills; the slow test has all of them."""
    found = seams(ordered=ordered)
    step = len(found) // SAMPLE
    for position in found[EVENTS.index(event) % step :: step]:
        killed_and_given_again(event, position, ordered=ordered)


@pytest.mark.slow
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("event", EVENTS)
def test_no_kill_at_any_write_deletes_a_source_that_the_target_lacks(event: Event, *, ordered: bool) -> None:
    for position in seams(ordered=ordered):
        killed_and_given_again(event, position, ordered=ordered)
