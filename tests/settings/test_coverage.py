"""How much of an entry patterns bring in, held against names that both were tried on."""

import random
from itertools import product

import pytest

from indexvault.settings.coverage import coverage
from indexvault.settings.patterns import select

NAMES = ["".join(letters) for length in (1, 2, 3, 4) for letters in product("ab", repeat=length)]


@pytest.mark.parametrize(
    ("patterns", "entry", "apart_from", "expected"),
    [
        (["*"], "hotels", [], "all"),
        (["hotels"], "*", [], "some"),
        (["hotels-*"], "hotels", [], "none"),
        (["hotels-*"], "hotels-2*", [], "all"),
        (["*", "!tmp-*"], "*", [], "some"),
        (["*", "!tmp-*"], "*", ["tmp-*"], "all"),
        (["*", "!tmp-*"], "*", ["t*"], "all"),
        (["*", "!tmp-*"], "tmp-1", [], "none"),
        (["reports"], "*", ["reports"], "none"),
        (["reports", "hotels"], "*", ["rep*"], "some"),
        (["*", "!t*", "tmp-*"], "tmp-1", [], "all"),
        (["a*"], "*b", [], "some"),
        (["a*c", "!b*"], "*d", [], "none"),
    ],
)
def test_coverage(patterns: list[str], entry: str, apart_from: list[str], expected: str) -> None:
    assert coverage(patterns, entry, apart_from=apart_from) == expected


def test_coverage_agrees_with_what_is_selected() -> None:
    rng = random.Random(7)

    def pattern() -> str:
        return "".join(rng.choice("ab*") for _ in range(rng.randint(1, 4)))

    for _ in range(3000):
        patterns = [("!" if rng.random() < 0.4 else "") + pattern() for _ in range(rng.randint(1, 4))]
        entry = pattern()
        meant = select(NAMES, [entry]).found
        chosen = set(select(NAMES, patterns).found) & set(meant)
        found = coverage(patterns, entry)
        if found == "all":
            assert chosen == set(meant), (patterns, entry)
        if chosen:
            assert found != "none", (patterns, entry)
