import pytest

from emulator.odata import (
    And,
    Call,
    Compare,
    Lambda,
    Literal,
    Node,
    Not,
    Or,
    Order,
    Path,
    SyntaxProblemError,
    parse_filter,
    parse_order,
)


def equal(name: str, value: object, kind: str = "integer") -> Compare:
    return Compare("eq", Path((name,)), Literal(kind, value))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("a eq 'it''s'", equal("a", "it's", "string")),
        ("a  eq   '' ", equal("a", "", "string")),
        ("nullable eq 1", equal("nullable", 1)),
        ("not eq 1", equal("not", 1)),
        ("android eq 1", equal("android", 1)),
        ("INFO eq 1", equal("INFO", 1)),
        ("a eq null", equal("a", None, "null")),
        ("a eq true", equal("a", value=True, kind="boolean")),
        ("a eq -INF", equal("a", float("-inf"), "number")),
        ("a eq 9223372036854775807", equal("a", 2**63 - 1)),
        ("a eq 9223372036854775808", equal("a", 2.0**63, "number")),
        ("a eq -1.5E+30", equal("a", -1.5e30, "number")),
        ("a eq 2020-01-01T00:00:00Z", equal("a", "2020-01-01T00:00:00Z", "date")),
        ("5 lt a", Compare("lt", Literal("integer", 5), Path(("a",)))),
        ("a/b/c eq 1", Compare("eq", Path(("a", "b", "c")), Literal("integer", 1))),
        ("a eq 1 and b eq 2 or c eq 3", Or((And((equal("a", 1), equal("b", 2))), equal("c", 3)))),
        ("a eq 1 and (b eq 2 or c eq 3)", And((equal("a", 1), Or((equal("b", 2), equal("c", 3)))))),
        ("not a", Not(Path(("a",)))),
        ("not (a eq 1)", Not(equal("a", 1))),
        (
            "search.in(a, 'x|y', '|')",
            Call("search.in", (Path(("a",)), Literal("string", "x|y"), Literal("string", "|"))),
        ),
        ("tags/any()", Lambda(Path(("tags",)), "any", "", None)),
        ("x/a/b/any(t: t eq 1)", Lambda(Path(("x", "a", "b")), "any", "t", equal("t", 1))),
        ("tags/all(t: not t)", Lambda(Path(("tags",)), "all", "t", Not(Path(("t",))))),
        ("geo.distance(a, geography'POINT(1 2)') le 3.5", None),
    ],
)
def test_a_filter_is_read(text: str, node: Node | None) -> None:
    parsed = parse_filter(text)
    assert node is None or parsed == node


@pytest.mark.parametrize(
    "text",
    ["a eq", "a eq 1 and", "(a eq 1", "a eq 1)", "a eq 'x", "a eq 1f", "eq 1", "tags/all()", "a/ eq 1", "a ? 1", ""],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(SyntaxProblemError):
        parse_filter(text)


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("not ", ""), ("a/any(b: ", ")")])
def test_nesting_has_a_limit(opening: str, closing: str) -> None:
    parse_filter(opening * 100 + "a" + closing * 100)
    with pytest.raises(SyntaxProblemError, match="too deeply"):
        parse_filter(opening * 101 + "a" + closing * 101)


def test_an_order_is_read() -> None:
    assert parse_order("a desc, b/c asc,desc desc") == (
        Order(Path(("a",)), descending=True),
        Order(Path(("b", "c")), descending=False),
        Order(Path(("desc",)), descending=True),
    )
