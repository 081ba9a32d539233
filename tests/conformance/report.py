"""The conformance tables."""

from collections import Counter
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from tests.conformance.outcomes import Verdict

_STYLES = {"passed": "green", "failed": "bold red", "out of scope": "yellow"}
_LONGEST = 400


def every(title: str, judged: Sequence[Verdict]) -> Table:
    """Return each test with its result, and why."""
    table = Table(title=title, title_justify="left")
    for heading in ("file", "test", "result", "why"):
        table.add_column(heading, overflow="fold")
    for one in judged:
        result = f"[{_STYLES[one.result]}]{one.result}[/]"
        table.add_row(one.outcome.file, one.outcome.test, result, escape(one.why[:_LONGEST]))
    return table


def totals(title: str, tests: Sequence[Verdict], samples: Sequence[Verdict]) -> Table:
    """Return how many tests of each file passed, and how many samples."""
    table = Table("file", *_STYLES, title=title, title_justify="left")
    for file in dict.fromkeys(one.outcome.file for one in tests):
        table.add_row(file, *_counts([one for one in tests if one.outcome.file == file]))
    table.add_section()
    table.add_row("all live tests", *_counts(tests))
    table.add_row("all samples", *_counts(samples))
    return table


def _counts(judged: Sequence[Verdict]) -> list[str]:
    counted = Counter(one.result for one in judged)
    return [str(counted[result]) for result in _STYLES]
