import pytest

from emulator.text_analysis import terms, tokens


@pytest.mark.parametrize(
    ("analyzer", "found"),
    [
        (None, ["one's", "two", "hotels"]),
        ("standard.lucene", ["one's", "two", "hotels"]),
        ("en.lucene", ["one", "two", "hotel"]),
        ("keyword", ["One's <two/> Hotels"]),
        ("whitespace", ["One's", "<two/>", "Hotels"]),
        ("simple", ["one", "s", "two", "hotels"]),
    ],
)
def test_an_analyzer_cuts(analyzer: str | None, found: list[str]) -> None:
    assert terms("One's <two/> Hotels", analyzer) == found


def test_tokens_say_where_they_stood() -> None:
    text = "One's <two/>"
    assert [text[token.start : token.end] for token in tokens(text, None)] == ["One's", "two"]
