"""Parts that tell of runs."""

from collections.abc import Sequence
from datetime import datetime

from indexvault.pages.html import Child, Element, h
from indexvault.pages.parts import Column, nothing, state, table
from indexvault.pages.request import Links
from indexvault.pages.words import ago, left, size
from indexvault.printable import count
from indexvault.status.facts import RunFacts

_RUN_COLUMNS = (Column("Run"), Column("State"), Column("What"), Column("Started"), Column("Ended"), Column("Indexes"))


def progress(run: RunFacts) -> Element:
    """Return how far a run is: a bar where that is known, and words."""
    words: list[Child] = []
    if run.documents is not None:
        of = f" of {run.expected:,}" if run.expected is not None else ""
        words.append(f"{run.documents:,}{of} documents")
    if run.items > 1 or run.documents is None:
        words.append(f"{run.ended} of {count(run.items, 'index')} done" if run.items else "choosing indexes")
    if run.bytes:
        words.append(size(run.bytes))
    if run.rate is not None:
        words.append(f"{run.rate:,.0f} documents a second")
    if run.seconds_left is not None:
        words.append(left(run.seconds_left))
    elif run.documents is not None:
        words.append("time left not known yet")
    said = ", ".join(str(each) for each in words)
    return h("div", bar(run.documents, run.expected, run.run), h("p", said, class_="figures"), class_="progress")


def bar(done: int | None, expected: int | None, of: str) -> Element:
    """Return a bar of progress; without a number where it is not known."""
    is_known = done is not None and expected is not None and expected > 0
    return h(
        "progress",
        max=expected if is_known else None,
        value=min(done, expected) if done is not None and expected is not None and is_known else None,
        aria_label=f"Progress of {of}",
    )


def runs_table(caption: str, runs: Sequence[RunFacts], links: Links, now: datetime) -> Element:
    """Return runs as a table."""
    return table(
        caption,
        _RUN_COLUMNS,
        [
            [
                h("a", run.run, href=links.page("runs", run.run), class_="name"),
                [state(run.state), h("span", run.failure, class_="why") if run.failure else None],
                [run.asked, h("span", f"by {run.started_by}", class_="aside")],
                ago(run.started or run.created, now),
                ago(run.finished, now) if run.finished is not None else nothing(),
                f"{run.ended} of {run.items}" + (f", {run.failed} failed" if run.failed else ""),
            ]
            for run in runs
        ],
        class_="runs-table",
    )
