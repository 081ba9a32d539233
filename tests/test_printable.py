import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.printable import printable, printable_json

OBEYED = [*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x061C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F)]
OBEYED += [*range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xE0001, 0xE0041]
LAYOUT = {0x09, 0x0A}


@pytest.mark.parametrize("code", sorted(set(OBEYED) - LAYOUT))
def test_nothing_that_a_terminal_obeys_is_left(code: int) -> None:
    shown = printable(f"a{chr(code)}b")
    assert len(shown) == 3
    assert shown.isprintable()


def test_what_was_there_can_be_seen() -> None:
    assert printable("\x1b]0;title\x07\r\x7f\x9b2J\u202e") == "␛]0;title␇␍␡\ufffd2J\ufffd"


@pytest.mark.parametrize(
    "text", ["Zum Löwen 🛏\ufe0f", "\u0646\u200c\u0627", "👩\u200d🔧", "a\u00a0b\u3000c", "two\nlines\tand a tab"]
)
def test_words_of_any_script_stay(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(max_codepoint=sys.maxunicode, exclude_categories=["Cs"])))
def test_json_says_the_same_and_holds_none(text: str) -> None:
    line = printable_json(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(line) == {text: text}
    assert not set(map(ord, line)) & set(OBEYED)
    assert printable_json(line) == line
