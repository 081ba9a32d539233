import pytest

from indexvault.errors import SettingsError
from indexvault.settings.patterns import check_patterns, plain_names, select

NAMES = ["hotels", "hotels-2", "tmp-a", "tmp-keep"]


@pytest.mark.parametrize(
    ("patterns", "found", "missing"),
    [
        (["*"], NAMES, []),
        (["*", "!tmp-*"], ["hotels", "hotels-2"], []),
        (["*", "!tmp-*", "tmp-keep"], ["hotels", "hotels-2", "tmp-keep"], []),
        (["hotels"], ["hotels"], []),  # and not hotels-2
        (["hotels", "rooms"], ["hotels"], ["rooms"]),
        (["tmp-*", "by_night"], ["tmp-a", "tmp-keep"], ["by_night"]),
        (["rooms", "!rooms"], [], []),
        (["x*"], [], []),
    ],
)
def test_selection(patterns: list[str], found: list[str], missing: list[str]) -> None:
    selection = select(NAMES, patterns)
    assert (selection.found, selection.missing) == (found, missing)


def test_stars_upon_stars_take_no_time() -> None:
    """Backtracking over 100 stars would never end."""
    names = ["a-hotel-of-the-northern-seaside", "a" * 128]
    assert select(names, ["*" * 100 + "b", "*a" * 60 + "b"]).found == []
    assert select(names, ["*a" * 60]).found == ["a" * 128]


def test_plain_names() -> None:
    assert plain_names(["b", "*", "a", "!c", "b"]) == ["b", "a"]


@pytest.mark.parametrize("patterns", [[], ["!tmp-*"], ["Hotels"], ["../x"], ["a/b"], [""], ["a" * 129], ["a\n"]])
def test_what_can_match_nothing_is_refused(patterns: list[str]) -> None:
    with pytest.raises(SettingsError, match="expected"):
        check_patterns(patterns, on="indexes")
