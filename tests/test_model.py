import pytest

from indexvault.model import MOST_LEVELS, definition_fault, exceeds_levels


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b'{"a":"\xff"}', b'{"a":1e999}', b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"],
)
def test_what_is_no_definition_is_told(text: bytes) -> None:
    assert definition_fault(text) is not None


def test_depth_is_bounded() -> None:
    deepest = b'{"a":' + b"[" * (MOST_LEVELS - 2) + b"1" + b"]" * (MOST_LEVELS - 2) + b"}"
    assert definition_fault(deepest) is None
    assert definition_fault(b'{"b":' + deepest + b"}") is not None
    assert exceeds_levels([[1]], 2)
    assert not exceeds_levels([[1]], 3)
