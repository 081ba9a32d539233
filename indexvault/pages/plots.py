"""Small plots as SVG, each with a text that says the same."""

from collections.abc import Sequence
from datetime import datetime

from indexvault.pages.html import Element, h
from indexvault.pages.words import instant, size
from indexvault.printable import count
from indexvault.status.facts import Point

_SMALL = (104, 26)
_LARGE = (640, 150)
_FAR = 4
"""How many times the next value the largest may be before its bar is cut off."""


def documents_plot(points: Sequence[Point], *, large: bool = False) -> Element | None:
    """Return the number of documents over time as a line; None with fewer than two snapshots."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    values = [point.documents for point in points]
    said = f"Documents in the last {count(len(points), 'snapshot')}: from {values[0]:,} to {values[-1]:,}"
    if max(values) != min(values):
        said += f", between {min(values):,} and {max(values):,}"
    return _line(values, [point.created for point in points], said, large=large)


def bytes_plot(points: Sequence[Point]) -> Element | None:
    """Return the size over time as a line; None with fewer than two snapshots."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    values = [point.bytes for point in points]
    said = f"Size in the last {count(len(points), 'snapshot')}: from {size(values[0])} to {size(values[-1])}"
    return _line(values, [point.created for point in points], said, large=True)


def added_plot(points: Sequence[Point], *, large: bool = False) -> Element | None:
    """Return what each snapshot added to the store as bars; None without snapshots."""
    if not points:
        return None
    values = [point.added_stored for point in points]
    said = f"Stored by each of the last {count(len(points), 'snapshot')}: {size(values[-1])} by the newest"
    if len(values) > 1:
        said += f", {size(max(values))} at most"
        said += " (that bar is cut off)" if max(values) > _cap(values) else ""
    width, height = _LARGE if large else _SMALL
    slot = width / max(len(values), 12)
    cap = _cap(values)
    bars = []
    for at, value in enumerate(values):
        tall = max(1.0, min(value / cap, 1.0) * (height - 2))
        title = h("title", f"{instant(points[at].created)}: {size(value)}") if large else None
        bars.append(
            h(
                "rect",
                title,
                x=_number(width - (len(values) - at) * slot + slot * 0.12),
                y=_number(height - tall),
                width=_number(slot * 0.76),
                height=_number(tall),
                class_="stick over" if value > cap else "stick",
            )
        )
    return _svg(bars, said, large=large)


def _cap(values: Sequence[int]) -> int:
    """Return the value at which bars end: one that is many times the next one would hide what the others are."""
    if len(values) < 3:  # noqa: PLR2004 - nothing much to hide
        return max(*values, 0, 1)
    *_rest, second, most = sorted(values)
    return max(second * 4 // 3 if most > second * _FAR and second else most, 1)


def _line(values: Sequence[int], times: Sequence[datetime], said: str, *, large: bool) -> Element:
    width, height = _LARGE if large else _SMALL
    low, high = min(values), max(values)
    low = 0 if large else low - (high - low) // 8
    begin, whole = times[0], max((times[-1] - times[0]).total_seconds(), 1.0)
    room, margin = height - 5, 2.5

    def place(value: int, time: datetime) -> tuple[float, float]:
        across = margin + (time - begin).total_seconds() / whole * (width - 2 * margin)
        up = (value - low) / (high - low) if high != low else 0.5
        return across, height - margin - up * room

    places = [place(value, time) for value, time in zip(values, times, strict=True)]
    line = " ".join(f"{_number(x)},{_number(y)}" for x, y in places)
    area = f"{_number(places[0][0])},{height} {line} {_number(places[-1][0])},{height}"
    shapes = [
        h("polygon", points=area, class_="area"),
        h("polyline", points=line, class_="line"),
        h("circle", cx=_number(places[-1][0]), cy=_number(places[-1][1]), r="2.2", class_="end"),
    ]
    return _svg(shapes, said, large=large)


def share_bar(part: float, said: str, level: str) -> Element:
    """Return how much of something is used up, as a bar; more than all is shown as all."""
    width = 72
    return h(
        "svg",
        h("rect", x=0, y=0, width=width, height=4, rx=2, class_="rest"),
        h("rect", x=0, y=0, width=_number(max(0.0, min(part, 1.0)) * width), height=4, rx=2, class_=f"used {level}"),
        viewBox=f"0 0 {width} 4",
        width=width,
        height=4,
        class_="share",
        role="img",
        aria_label=said,
    )


def _svg(shapes: Sequence[Element], said: str, *, large: bool) -> Element:
    width, height = _LARGE if large else _SMALL
    return h(
        "svg",
        shapes,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        class_="plot large" if large else "plot",
        role="img",
        aria_label=said,
        preserveAspectRatio="none" if large else None,
    )


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
