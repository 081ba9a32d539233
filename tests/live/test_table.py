"""The table of assumptions, and the page that shows it."""

import re
from pathlib import Path

import pytest

from live.table import ASSUMPTIONS, Assumption, markdown

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/assumptions.md"


def test_the_page_shows_the_table() -> None:
    assert markdown() in PAGE.read_text(encoding="utf-8"), f"paste into {PAGE.name}:\n{markdown()}"


def test_each_assumption_is_settled_by_a_check_or_says_by_what() -> None:
    assert len({each.name for each in ASSUMPTIONS}) == len(ASSUMPTIONS)
    assert [each.name for each in ASSUMPTIONS if (each.check is None) != bool(each.otherwise)] == []
    checks = [each.check for each in ASSUMPTIONS if each.check is not None]
    assert len(set(checks)) == len(checks)
    assert [each.name for each in ASSUMPTIONS if each.check is not None and not each.cost.requests] == []


@pytest.mark.parametrize("assumption", ASSUMPTIONS, ids=lambda each: each.name)
def test_each_names_code_that_exists(assumption: Assumption) -> None:
    places = re.findall(r"`([^`]+)`", assumption.where)
    assert places
    assert [place for place in places if not (PROJECT / place).exists()] == []
