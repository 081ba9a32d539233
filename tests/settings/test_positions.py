import pytest

from indexvault.settings.positions import line_of, line_of_syntax_error

TEXT = """\
{
  "stores": {
    "east": {"region": "eastus",
             "account_url": "x"}
  },
  "policies": {
    "nightly": {
      "indexes": [
        "*",
        "!tmp-*"
      ],
      "schedule": "0 0 2 * * *"
    }
  },
  "overlays": {
    "w": {
      "indexes/a.b[1]": {
        "c": [{"d": {
          "e": "}]\\"f\\": {"}}, 1e5,
          null, {"env": "K"}]
      }
    }
  }
}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$", 1),
        ("$.stores", 2),
        ("$.stores.east", 3),
        ("$.stores.east.account_url", 4),
        ("$.policies.nightly.indexes[0]", 9),
        ("$.policies.nightly.indexes[1]", 10),
        ("$.policies.nightly.schedule", 12),
        ("$.overlays.w.indexes/a.b[1]", 17),
        ("$.overlays.w.indexes/a.b[1].c[0].d.e", 19),
        ("$.overlays.w.indexes/a.b[1].c[3].env", 20),
    ],
)
def test_each_member_has_its_line(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$.policies.nightly.keep.daily", 7),
        ("$.policies.nightly.indexes[7]", 8),
        ("$.stores.west", 2),
        ("$.stores[...]", 2),
        ("$.nothing", 1),
    ],
)
def test_what_is_not_there_has_the_line_of_what_should_hold_it(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line


def test_of_a_member_given_twice_the_last_one_counts() -> None:
    assert line_of('{"a": 1,\n"a": 2\n}', "$.a") == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n"a": 1\n"b": 2}', 3),
        ('{"a": 1,\n\n}', 1),
        ('{"a":\n[1, 2', 2),
        ("{'a': 1}", 1),
        ("\n\nname: x", 3),
        ('{"a": 1}\n\n{"b": 2}\n', 3),
        ('{"a": "\n"}', 1),
        ("", 1),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int) -> None:
    assert line_of_syntax_error(text) == line


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, '{"a": ' * 100_000, '{"a"', '{"a":', '{"a": tru', '["', "nonsense"]
)
def test_text_that_is_no_json_is_survived(text: str) -> None:
    assert line_of(text, "$.a.b[3]") == 1
    assert line_of_syntax_error(text) == 1
