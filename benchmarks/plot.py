"""Bars of CPU seconds, and shares over time, as SVG."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple
from xml.sax.saxutils import escape

from benchmarks.measuring import Measured

_COLOURS = {"indexvault": "#2563eb", "lean": "#9ca3af", "plain": "#f59e0b"}
_WIDTH, _LEFT, _BAR, _GAP, _TITLE = 900, 230, 12, 6, 28
_TEXT = 'font-family="sans-serif" font-size="11" fill="#374151"'


def bar_chart(found: Sequence[Measured]) -> str:
    """Return an SVG with a bar for each figure, grouped by corpus and operation, in CPU seconds for 10**9 bytes."""
    longest = max((each.cpu_per_gb for each in found), default=1.0)
    parts: list[str] = []
    height = _GAP
    for (corpus, megabytes), of_corpus in groupby(found, lambda each: (each.corpus, each.megabytes)):
        height += _TITLE
        title = f"{corpus}, {megabytes} MB: CPU seconds of the client for each GB of documents"
        parts.append(f'<text x="{_GAP}" y="{height - _GAP * 2}" {_TEXT} font-weight="bold">{escape(title)}</text>')
        for operation, each_tool in groupby(of_corpus, lambda each: each.operation):
            for measured in each_tool:
                parts += _bar(f"{operation}, {measured.tool}", measured, height, longest)
                height += _BAR + 1
            height += _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _bar(label: str, measured: Measured, top: int, longest: float) -> Iterator[str]:
    width = max(1.0, (_WIDTH - _LEFT - 60) * measured.cpu_per_gb / longest)
    yield f'<text x="{_LEFT - _GAP}" y="{top + _BAR - 2}" text-anchor="end" {_TEXT}>{escape(label)}</text>'
    yield f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[measured.tool]}"/>'
    yield f'<text x="{_LEFT + width + 4:.1f}" y="{top + _BAR - 2}" {_TEXT}>{measured.cpu_per_gb:.1f}</text>'


class Line(NamedTuple):
    """Shares, one a day, by the name and the colour of the line that they are drawn as."""

    name: str
    colour: str
    shares: Sequence[float]


_HEIGHT = 320


def line_chart(title: str, lines: Sequence[Line]) -> str:
    """Return an SVG with a line for each series of shares, which begin on the same day."""
    days = max((len(each.shares) for each in lines), default=1)
    highest = max((share for each in lines for share in each.shares), default=1.0) or 1.0
    left, top, right, bottom = 60, _TITLE + _GAP, _WIDTH - 100, _HEIGHT - 30

    def place(day: int, share: float) -> tuple[float, float]:
        return left + (right - left) * day / max(1, days - 1), bottom - (bottom - top) * share / highest

    parts = [f'<text x="{_GAP}" y="{_TITLE - _GAP}" {_TEXT} font-weight="bold">{escape(title)}</text>']
    for step in range(5):
        share = highest * step / 4
        _x, y = place(0, share)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - _GAP}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{share:.0%}</text>')
    for day in range(0, days, 30):
        x, _y = place(day, 0)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" {_TEXT}>{day}</text>')
    for at, each in enumerate(lines):
        points = " ".join("{:.1f},{:.1f}".format(*place(day, share)) for day, share in enumerate(each.shares))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{each.colour}" stroke-width="1.5"/>')
        parts.append(
            f'<text x="{right + 8}" y="{top + 16 * at + 8}" {_TEXT} style="fill:{each.colour}">{each.name}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
