import pytest

from indexvault.cli.exit_codes import worst


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 1], 1),
        ([1, 4], 4),
        ([4, 6, 5], 6),
        ([6, 130], 130),
    ],
)
def test_failure_outweighs_a_loss_and_the_more_telling_failure_the_other(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected
