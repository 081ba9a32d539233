"""Bars of CPU seconds as SVG."""

from collections.abc import Iterator, Sequence
from itertools import groupby
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
