"""What a year of daily snapshots wastes, by how packs are rewritten: `python -m benchmarks.waste [--days 365]`.

A model of an index whose chunks change at random, backed up and pruned each day, with the newest snapshot of each of
30 days and 12 months kept. Members, packs and what `repack.choose` decides are as in a store; nothing is compressed. A
chunk that changes makes the segments above it anew, which lie in packs of their own, one of each level for a run. An
index is described by how many full packs it fills, so a small model stands for a large one. `--over-time` prints the
waste month by month, and `--plot FILE` draws it.
"""

import argparse
import random
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.plot import Line, line_chart
from indexvault.snapshots.names import PackFolder, PackKind, PackName
from indexvault.snapshots.repack import Fill, choose, in_batches

TARGET = 96 * 1024
MEMBER = 3 * 1024
DOCUMENTS_PER_CHUNK = 4
CHANGED = 0.005
"""Documents that change in a day."""

SEGMENT = 1800
"""Bytes of the member of a segment. Source: benchmarks/storage.py, segments of 32 entries."""

ENTRIES = 32
"""Entries of a segment, and of the root at most."""

FOLDER = PackFolder(service="contoso-east", index="hotels")
FIRST_DAY = date(2026, 1, 1)
NEVER = 1 << 30


@dataclass(slots=True)
class Member:
    """A stored chunk or segment, needed by the snapshots from day `born` to before day `replaced`."""

    size: int
    born: int
    replaced: int = NEVER


@dataclass(slots=True)
class Pack:
    """A pack with those of its members that are alive."""

    name: PackName
    day: int
    size: int = 0
    alive: list[Member] = field(default_factory=list)
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The bytes that are stored, needed and rewritten on a day, and how often a member has been moved at most."""

    stored: int
    needed: int
    rewritten: int
    hops: int

    @property
    def waste(self) -> float:
        """What is stored in vain, as a share of what is needed."""
        return self.stored / self.needed - 1


class Model:
    """An index, its snapshots and its packs. Packs of which less than `enough` is alive are rewritten."""

    def __init__(self, packs: int, enough: float | None, *, monthly: int = 12, seed: int = 1) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a simulation
        self._enough = enough
        self._monthly = monthly
        self._packs: list[Pack] = []
        self._made = 0
        self._kept: list[int] = []
        self._chunks: list[Member] = []
        self._segments: dict[tuple[int, int], Member] = {}
        self._grow(packs)

    def day(self, today: int) -> Day:
        """Back up and prune on a day."""
        self._change(today)
        before, self._kept = self._kept, kept_days([*self._kept, today], self._monthly)
        # What was removed today is in its grace period until tomorrow.
        needed_by = sorted({*before, *self._kept})
        for pack in self._packs:
            pack.alive = [each for each in pack.alive if is_needed(each, needed_by)]
        self._packs = [pack for pack in self._packs if pack.alive]
        rewritten = self._rewrite(today) if self._enough is not None else 0
        return Day(
            stored=sum(pack.size for pack in self._packs),
            needed=sum(each.size for pack in self._packs for each in pack.alive),
            rewritten=rewritten,
            hops=max(pack.hops for pack in self._packs),
        )

    @property
    def packs(self) -> int:
        """How many packs there are."""
        return len(self._packs)

    def _grow(self, packs: int) -> None:
        while sum(each.size for each in self._chunks) < packs * TARGET:
            self._chunks += [Member(self._size(), 0) for _ in range(TARGET // MEMBER)]
        self._store([(each, 0) for each in self._chunks], 0)
        self._change_segments(range(len(self._chunks)), 0)

    def _size(self) -> int:
        return round(self._rng.uniform(0.5, 1.5) * MEMBER)

    def _change(self, today: int) -> None:
        fresh: list[Member] = []
        changed: list[int] = []
        share = 1 - (1 - CHANGED) ** DOCUMENTS_PER_CHUNK
        for at, chunk in enumerate(self._chunks):
            if today and self._rng.random() < share:
                chunk.replaced = today
                self._chunks[at] = Member(self._size(), today)
                fresh.append(self._chunks[at])
                changed.append(at)
        self._store([(each, 0) for each in fresh], today)
        self._change_segments(changed, today)

    def _change_segments(self, changed: Sequence[int], today: int) -> None:
        """Make the segments above some chunks anew, level by level up to the root, which is no segment."""
        level, entries = 1, len(self._chunks)
        while entries > ENTRIES:
            changed = sorted({at // ENTRIES for at in changed})
            fresh: list[Member] = []
            for at in changed:
                if (earlier := self._segments.get((level, at))) is not None:
                    earlier.replaced = today
                self._segments[level, at] = Member(SEGMENT, today)
                fresh.append(self._segments[level, at])
            self._store([(each, 0) for each in fresh], today, "segments")
            level, entries = level + 1, -(-entries // ENTRIES)

    def _store(self, members: Sequence[tuple[Member, int]], today: int, kind: PackKind = "packs") -> None:
        """Store members in new packs, each with how often it has been moved."""
        pack: Pack | None = None
        for each, hops in members:
            if pack is None or pack.size >= TARGET:
                self._made += 1
                pack = Pack(PackName(kind, FOLDER, f"{self._made:064x}"), today)
                self._packs.append(pack)
            pack.alive.append(each)
            pack.size += each.size
            pack.hops = max(pack.hops, hops)

    def _rewrite(self, today: int) -> int:
        assert self._enough is not None  # noqa: S101 - the caller has looked
        known = {pack.name: pack for pack in self._packs}
        copied = 0
        for kind in _KINDS:
            fills = [
                Fill(pack.name, pack.size, sum(each.size for each in pack.alive), pack.hops)
                for pack in self._packs
                if pack.day < today and pack.name.kind == kind
            ]
            for batch in in_batches(choose(fills, target=TARGET, enough=self._enough), target=TARGET):
                going = [known[fill.pack] for fill in batch]
                gone = {pack.name for pack in going}
                self._packs = [pack for pack in self._packs if pack.name not in gone]
                members = [(each, pack.hops + 1) for pack in going for each in pack.alive]
                self._store(members, today, kind)
                copied += sum(each.size for each, _hops in members)
        return copied


_KINDS: Sequence[PackKind] = ("packs", "segments")


def kept_days(days: Sequence[int], monthly: int) -> list[int]:
    """Return the days whose snapshots stay: the last 30, and the last one of each of the last months."""
    last_of_month = {(FIRST_DAY + timedelta(days=day)).replace(day=1): day for day in days}
    months = sorted(last_of_month)[-monthly:] if monthly else []
    return sorted({*days[-30:], *(last_of_month[month] for month in months)})


def is_needed(member: Member, days: Sequence[int]) -> bool:
    """Return whether the snapshot of any of these days, in order, needs a member."""
    at = bisect_left(days, member.born)
    return at < len(days) and days[at] < member.replaced


def main(arguments: Sequence[str]) -> int:
    """Simulate, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--monthly", type=int, default=12, help="months of which the newest snapshot stays")
    parser.add_argument("--packs", type=int, nargs="*", default=[128, 12, 1], help="full packs that the index fills")
    parser.add_argument("--over-time", action="store_true", help="the waste every 30 days, of the first size alone")
    parser.add_argument("--plot", type=Path, help="draw the waste of each day to this SVG file")
    parsed = parser.parse_args(arguments)
    if parsed.over_time or parsed.plot:
        _over_time(parsed.packs[0], parsed.days, parsed.monthly, parsed.plot)
        return 0
    columns = ("packs of the index", "rewritten below", "waste, mean of the last 90 days", "at most", "after 30 days")
    table = Table(*columns, "after 180", "packs in the end", "rewritten a day, share of the index", "moves at most")
    for packs in parsed.packs:
        for enough in _SHARES:
            model = Model(packs, enough, monthly=parsed.monthly)
            days = [model.day(number) for number in range(parsed.days)]
            last = days[-90:]
            index = packs * TARGET
            table.add_row(
                str(packs),
                _named(enough),
                f"{sum(each.waste for each in last) / len(last):.0%}",
                f"{max(each.waste for each in days):.0%}",
                f"{days[min(30, len(days) - 1)].waste:.0%}",
                f"{days[min(180, len(days) - 1)].waste:.0%}",
                str(model.packs),
                f"{sum(each.rewritten for each in days) / len(days) / index:.1%}",
                str(max(each.hops for each in days)),
            )
    Console(width=160).print(table)
    return 0


_SHARES = (None, 0.5, 0.66, 0.75)
_COLOURS = ("#9ca3af", "#f59e0b", "#2563eb", "#16a34a")


def _named(enough: float | None) -> str:
    return "never" if enough is None else f"{enough:.0%}"


def _over_time(packs: int, days: int, monthly: int, plot: Path | None) -> None:
    """Print the waste every 30 days, and draw that of each day."""
    wastes: dict[str, list[float]] = {}
    for enough in _SHARES:
        model = Model(packs, enough, monthly=monthly)
        wastes[_named(enough)] = [model.day(number).waste for number in range(days)]
    table = Table("day", *(f"rewritten below {name}" if name[0].isdigit() else name for name in wastes))
    for day in range(0, days, 30):
        table.add_row(str(day), *(f"{some[day]:.0%}" for some in wastes.values()))
    Console(width=160).print(table)
    if plot is not None:
        title = f"Waste of daily snapshots of an index of {packs} packs, as a share of what they need"
        lines = [Line(name, colour, some) for (name, some), colour in zip(wastes.items(), _COLOURS, strict=True)]
        plot.write_text(line_chart(title, lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
