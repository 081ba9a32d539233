"""Points and polygons in filters: parsed, and measured on a sphere."""

import itertools
import math
import re
from collections.abc import Sequence

type Point = Sequence[float]
"""Longitude and latitude, in degrees."""

_EARTH_RADIUS = 6371.0088
"""Mean radius in kilometres."""

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_POINT = re.compile(rf"\s*POINT\s*\(\s*{_NUMBER}\s+{_NUMBER}\s*\)\s*", re.IGNORECASE)
_POLYGON = re.compile(r"\s*POLYGON\s*\(\(([-\d.,\s]*)\)\)\s*", re.IGNORECASE)


def point_of(text: str) -> Point | None:
    """Read `POINT(longitude latitude)`; None if it isn't one."""
    match = _POINT.fullmatch(text)
    return None if match is None else (float(match[1]), float(match[2]))


def polygon_of(text: str) -> list[Point] | None:
    """Read `POLYGON((longitude latitude, ...))`; None if it isn't one."""
    match = _POLYGON.fullmatch(text)
    if match is None:
        return None
    corners = [point_of(f"POINT({corner})") for corner in match[1].split(",")]
    found = [corner for corner in corners if corner is not None]
    return found if len(found) == len(corners) else None


def kilometres(point: Point, other: Point) -> float:
    """Return the distance on the sphere in kilometres, by haversine."""
    longitude, latitude = point
    other_longitude, other_latitude = other
    phi, other_phi = math.radians(latitude), math.radians(other_latitude)
    half_phi, half_lambda = (other_phi - phi) / 2, math.radians(other_longitude - longitude) / 2
    part = math.sin(half_phi) ** 2 + math.cos(phi) * math.cos(other_phi) * math.sin(half_lambda) ** 2
    return 2 * _EARTH_RADIUS * math.asin(math.sqrt(part))


def inside(point: Point, corners: Sequence[Point]) -> bool:
    """Return whether a polygon contains a point, by crossings of a ray to the east; flat geometry is close enough."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in itertools.pairwise(corners):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside
