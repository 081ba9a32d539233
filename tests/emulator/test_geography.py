import pytest

from emulator.geography import inside, kilometres, point_of, polygon_of


def test_a_degree_of_latitude_is_111_kilometres() -> None:
    assert kilometres((0.0, 0.0), (0.0, 1.0)) == pytest.approx(111.19, abs=0.01)
    assert kilometres((179.5, 0.0), (-179.5, 0.0)) == pytest.approx(111.19, abs=0.01)


@pytest.mark.parametrize("text", ["", "POINT(1)", "POINT(a b)", "POLYGON((1 2))", "POINT(1 2) x"])
def test_what_is_no_point_is_none(text: str) -> None:
    assert point_of(text) is None


def test_a_polygon_has_an_inside() -> None:
    square = polygon_of("POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))")
    assert square is not None
    assert inside((1.0, 1.0), square)
    assert not inside((3.0, 1.0), square)
    assert polygon_of("POLYGON((0 0, x 1))") is None
