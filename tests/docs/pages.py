"""The pages with commands, run from top to bottom."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.blocks import Block, Event, Step, parts_of
from tests.docs.desk import Desk
from tests.docs.not_run import NOT_RUN
from tests.docs.world import HAPPENINGS
from tests.layout.project import text_of


@dataclass(frozen=True, slots=True)
class Ran:
    """A step that was run: what it printed, and its exit code."""

    step: Step
    printed: list[str]
    code: int


def blocks_of(page: str) -> list[Block]:
    """Return a page's blocks of commands."""
    return [part for part in parts_of(text_of(page)) if isinstance(part, Block) and part.language in {"sh", "console"}]


def is_run(page: str, block: Block) -> bool:
    return not any(page == on and block.text.startswith(first) for on, first in NOT_RUN)


def run_page(page: str, desk: Desk) -> Iterator[Ran]:
    """Run a page's commands in order, with what happens between them."""
    for part in parts_of(text_of(page)):
        if isinstance(part, Event):
            HAPPENINGS[part.what](desk)
        elif part.language in {"sh", "console"} and is_run(page, part):
            for step in part.steps:
                printed = desk.run(step.command)
                yield Ran(step, printed, desk.code)
