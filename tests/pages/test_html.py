"""Elements: what is put into a page is text, and nothing leads elsewhere."""

import pytest

from indexvault.pages.html import h, render, text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\" onmouseover='x'", "&quot; onmouseover=&#x27;x&#x27;"),
        ("a & b &lt;", "a &amp; b &amp;lt;"),
        ("left\u202eright\u2066", "left\ufffdright\ufffd"),
        ("bell\x07, escape\x1b[2J, nothing\x00", "bell\u2407, escape\u241b[2J, nothing\u2400"),
        ("\u05d0\u05d1 \u0645\u0631\u062d\u0628\u0627 \u4e2d", "\u05d0\u05d1 \u0645\u0631\u062d\u0628\u0627 \u4e2d"),
    ],
)
def test_texts_are_escaped_in_content_and_in_attributes(said: str, shown: str) -> None:
    assert text(said) == shown
    assert h("p", said, title=said).html == f'<p title="{shown}">{shown}</p>'


def test_a_megabyte_is_escaped_whole() -> None:
    assert h("pre", "<" * 1_000_000).html == f"<pre>{'&lt;' * 1_000_000}</pre>"


def test_children_may_be_nested_missing_or_numbers() -> None:
    assert render(["a", None, [h("b", 1200), (x for x in ("c", "<"))]]) == "a<b>1,200</b>c&lt;"


def test_attributes() -> None:
    assert h("input", for_="x", aria_label="y", required=True, checked=False, alt=None).html == (
        '<input for="x" aria-label="y" required>'
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"onclick": "x"},
        {"style": "color: red"},
        {"href": "javascript:alert(1)"},
        {"href": "https://elsewhere.example/"},
        {"href": "//elsewhere.example/"},
        {"action": "data:text/html,x"},
        {"src": "/a b"},
        {"src": "/a\nb"},
        {'x="y': "z"},
    ],
)
def test_what_a_page_must_never_hold_is_an_error(attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"no attribute|leads elsewhere"):
        h("a", **attributes)
