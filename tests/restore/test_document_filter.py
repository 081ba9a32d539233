import contextlib
import json
import threading
import time

import pytest

from demo.hotels import documents as demo_documents
from indexvault.errors import SettingsError
from indexvault.restore.document_filter import LONGEST_FILTER, DocumentFilter
from indexvault.restore.selection import Selection

DOCUMENT = b'{"id":"1","n":4,"tags":["a","b"],"text":"' + b"x" * 20_000 + b'","rows":[' + b"1," * 1000 + b"1]}"

HOSTILE = {
    "doubled and written out": "|".join(["[@,@]"] * 27) + "|to_string(@)",
    "doubled and compared": "|".join(["[@,@]"] * 27) + "|[0]==[1]",
    "doubled and compared with a copy": "{a:" + "|".join(["[@,@]"] * 20) + ",b:" + "|".join(["[@,@]"] * 20) + "}|a==b",
    "doubled and searched": "|".join(["[@,@]"] * 26) + "|contains([[`1`]],@)||contains([@],[@[1],@[0]])",
    "doubled and flattened": "|".join(["[@,@]"] * 27) + "[]" * 27 + "|length(@)",
    "flattened and doubled": "[rows,rows][]" + "|[@,@][]" * 24 + "|length(@)",
    "doubled and visited": "rows" + "[*].[@,@][]" * 24,
    "doubled texts": "text" + "|join('',[@,@])" * 24 + "|length(@)",
    "a long separator": "join(text,map(&text," + "[@,@,@,@,@,@,@,@][*]." * 2 + "[@,@][][]))|length(@)",
    "all for each": "rows|map(&[@,@],@)" + "|map(&[@,@],@)[]" * 24,
    "sorted by a sum of all": "{a:[rows,rows,rows,rows]}.a" + "|[@,@][]" * 9 + "|sort_by(@,&sum(@))|length(@)",
    "deep literals": "`" + "[" * 1500 + "]" * 1500 + "`==`" + "[" * 400 + "]" * 400 + "`",
    "merged": "{a:@}" + "|merge({a:@},{b:@})" * 25 + "|to_string(@)",
}


@pytest.mark.parametrize("expression", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_filter_takes_long_on_one_document(expression: str) -> None:
    done = threading.Event()

    def evaluate() -> None:
        with contextlib.suppress(SettingsError):
            Selection(filter=expression).takes("1", DOCUMENT)
        done.set()

    threading.Thread(target=evaluate, daemon=True).start()
    assert done.wait(2)


@pytest.mark.parametrize(
    "name", ["doubled and written out", "doubled and compared with a copy", "doubled and flattened", "doubled texts"]
)
def test_a_filter_over_its_budget_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match="takes too many steps"):
        DocumentFilter(HOSTILE[name]).matches(DOCUMENT)


def test_the_budget_grows_with_the_document() -> None:
    vector = b'{"v":[' + b"0.123456," * 100_000 + b"1.5]}"
    assert DocumentFilter("v[?@ > `1`]").matches(vector)
    assert DocumentFilter("length(text) > `3` && contains(text, 'y') || ends_with(text, 'x')").matches(DOCUMENT)


def test_hundreds_of_keys_in_a_filter_are_taken() -> None:
    many = " || ".join(f"id == '{number}'" for number in range(100, 200))
    assert DocumentFilter(f"{many} || id == '1'").matches(DOCUMENT)


@pytest.mark.parametrize("text", ["a" * (LONGEST_FILTER + 1), "(" * 1000 + "a" + ")" * 1000, "!" * 300 + "a"])
def test_a_filter_too_long_or_too_deep_is_refused_before_it_is_evaluated(text: str) -> None:
    with pytest.raises(SettingsError):
        DocumentFilter(text)


def test_a_text_too_long_is_not_repeated_in_its_error() -> None:
    with pytest.raises(SettingsError) as raised:
        DocumentFilter("a" * 1_000_000)
    assert len(str(raised.value)) < 500


def test_time_goes_with_the_number_of_documents() -> None:
    # Close to the budget of a small document.
    expensive = DocumentFilter("|".join(["[@,@]"] * 9) + "|to_string(@)")
    started = time.perf_counter()
    for _ in range(20):
        expensive.matches(b'{"id":"1"}')
    assert time.perf_counter() - started < 2


def test_the_filter_of_the_help_holds_on_the_demo_s_documents() -> None:
    chosen = DocumentFilter("Rating >= `4`")
    ratings = [(line, json.loads(line)["Rating"]) for _key, line in demo_documents(300)]
    assert "NaN" in [rating for _line, rating in ratings]
    for line, rating in ratings:
        assert chosen.matches(line) == (isinstance(rating, float) and rating >= 4)


@pytest.mark.parametrize("expression", ["a < `1`", "a >= `1`", "`1` > a", "tags > `1`", "a > gone"])
def test_a_text_is_in_no_order_with_a_number(expression: str) -> None:
    assert DocumentFilter(expression).matches(b'{"a":"NaN","tags":["b"]}') is False
    assert DocumentFilter('a > `"A"`').matches(b'{"a":"B"}') is True
