"""`indexvault status`: every index against its recovery point."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import age, count, size
from indexvault.cli.output import Output
from indexvault.cli.references import optional_service_and_index
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.cli.tables import Column, Table
from indexvault.errors import NotFoundError
from indexvault.status.facts import Fleet, IndexFacts, PairFacts, RunFacts
from indexvault.status.gather import read_fleet
from indexvault.status.health import Health

_MINUTE = timedelta(minutes=1)
STYLES = {"green": "green", "amber": "yellow", "red": "red", "grey": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """Show the status of everything, of a service, or of one index."""

    service: str | None
    index: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "where", metavar="SERVICE[/INDEX]", nargs="?", help="only of this service or index (default: of everything)"
    )


def read_request(arguments: Namespace) -> StatusRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = optional_service_and_index(arguments.where)
    return StatusRequest(service=service, index=index)


async def run(session: Session, request: StatusRequest) -> int:
    """Print the status; return 1 if something is red."""
    async with session.clients(retry=FIRST_CONTACT) as clients:
        fleet = await read_fleet(session.resources(clients), service=request.service, index=request.index)
    return _print(session.output, fleet, request)


async def run_remotely(session: RemoteSession, request: StatusRequest) -> int:
    """Print the status of a deployment; return 1 if something is red."""
    members = {"service": request.service, "index": request.index}
    query = {name: value for name, value in members.items() if value is not None}
    return _print(session.output, await session.deployment.get("status", Fleet, query), request)


def _print(output: Output, fleet: Fleet, request: StatusRequest) -> int:
    indexes = list(fleet.indexes)
    if request.index is not None and not indexes:
        raise NotFoundError(
            "there is no such index, and no snapshot of one",
            on=f"{request.service}/{request.index}",
            do="`indexvault status` lists what there is",
        )
    _print_indexes(output, fleet)
    for service in fleet.services:
        output.result("service", {**msgspec.to_builtins(service), "indexes": len(service.indexes)})
        _show_reasons(output, service.service, service.health, but="indexes")
    _print_pairs(output, fleet)
    for store in fleet.replicas:
        output.result("store", msgspec.to_builtins(store))
        _show_reasons(output, f"store {store.store}", store.health)
    for index in indexes:
        _show_reasons(output, f"{index.service}/{index.index}", index.health)
    for each in fleet.runs:
        output.result("run", msgspec.to_builtins(each))
        if not each.is_finished:
            output.show(Text(f"{each.run}: {_progress(each)}"))
    level = fleet.health.level
    output.result("status", {"level": level, "checked_at": fleet.checked_at}, Text(_summary(fleet), STYLES[level]))
    return FAILED if level == "red" else DONE


def _print_indexes(output: Output, fleet: Fleet) -> None:
    indexes = list(fleet.indexes)
    for index in indexes:
        output.result("index", msgspec.to_builtins(index))
    if indexes:
        output.show(indexes_table(indexes, fleet.checked_at))
    elif not any(service.unread for service in fleet.services):
        output.show("There are no indexes and no snapshots")


def _print_pairs(output: Output, fleet: Fleet) -> None:
    for pair in fleet.pairs:
        output.result("pair", msgspec.to_builtins(pair))
    if fleet.pairs:
        output.show(pairs_table(fleet.pairs, fleet.checked_at))
    for pair in fleet.pairs:
        _show_reasons(output, f"pair {pair.pair}", pair.health, but="indexes")
        for index in pair.indexes:
            _show_reasons(output, f"{index.service}/{index.index}", index.health)


def pairs_table(pairs: Sequence[PairFacts], now: datetime) -> Table:
    """Return pairs as a table, at most 80 columns wide where names are short.

    It tells which service is active, and how old the other one is against the recovery point, or how many documents
    differ.
    """
    columns = [
        Column("status", names=True),
        Column("pair", names=True),
        Column("mode", names=True),
        Column("active", names=True),
        Column("standby"),
        Column("within"),
        Column("drift", right=True),
        Column("drill"),
    ]
    return Table(columns, [_pair_row(pair, now) for pair in pairs])


def _pair_row(pair: PairFacts, now: datetime) -> tuple[Text | str, ...]:
    deviating = sum(
        each.drift.changed + each.drift.missing + each.drift.extra for each in pair.indexes if each.drift is not None
    )
    is_measured = any(each.drift is not None and each.drift.measured is not None for each in pair.indexes)
    return (
        Text(pair.health.level, style=STYLES[pair.health.level]),
        pair.pair,
        pair.mode,
        pair.active or "not known",
        _standby(pair, now),
        _span(pair.recovery_point),
        f"{deviating:,}" if is_measured else "",
        "never" if pair.last_drill is None else age(pair.last_drill, now),
    )


def _standby(pair: PairFacts, now: datetime) -> str:
    """Return how old the standby's content is, where indexvault keeps it."""
    if pair.mode == "hot-hot" or pair.standby is None or not pair.indexes:
        return ""
    if not pair.following:
        return "off"
    return "not proved" if pair.as_of is None else age(pair.as_of, now)


def indexes_table(indexes: Sequence[IndexFacts], now: datetime) -> Table:
    """Return indexes as a table, at most 80 columns wide where names are short."""
    columns = [
        Column("status", names=True),
        Column("index", names=True),
        Column("complete"),
        Column("within"),
        Column("next run"),
        Column("documents", right=True),
        Column("size", right=True),
    ]
    return Table(columns, [_row(index, now) for index in indexes])


def _row(index: IndexFacts, now: datetime) -> tuple[Text | str, ...]:
    level, last = index.health.level, index.last_complete
    return (
        Text(level, style=STYLES[level]),
        f"{index.service}/{index.index}",
        "never" if last is None else age(last.created, now),
        "" if index.recovery_point is None else _span(index.recovery_point),
        _next(index, now),
        "" if index.last is None else f"{index.last.documents:,}",
        "" if index.last is None else size(index.last.bytes),
    )


def _span(time: timedelta) -> str:
    """Return a recovery point in its largest unit that says all of it: `2 d`, `26 h`, `90 min`."""
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if not time % unit:
            return f"{time // unit} {name}"
    return f"{time // _MINUTE} min"


def _next(index: IndexFacts, now: datetime) -> str:
    if index.running is not None:
        return "at work"
    if index.next_run is None:
        return ""
    return f"in {age(now, index.next_run)}" if index.next_run - now >= _MINUTE else "now"


def _show_reasons(output: Output, on: str, health: Health, but: str = "") -> None:
    for reason in health.reasons:
        if reason.level in {"amber", "red"} and reason.kind != but:
            output.show(Text(f"{on}: {reason.what}. {reason.do}".rstrip(), style=STYLES[reason.level]))


def _progress(run: RunFacts) -> str:
    if run.documents is None:
        return f"{run.state}, {run.ended} of {count(run.items, 'index')} done"
    of = f" of {run.expected:,}" if run.expected is not None else ""
    left = f", {run.seconds_left} s left" if run.seconds_left is not None else ""
    return f"{run.state}, {run.documents:,}{of} documents{left}"


def _summary(fleet: Fleet) -> str:
    levels = [index.health.level for index in fleet.indexes]
    said = ", ".join(f"{levels.count(level)} {level}" for level in STYLES if level in levels)
    return f"{count(len(levels), 'index')}: {said}" if levels else fleet.health.words


COMMAND = Command(
    description="Show every index against its recovery point: green, amber, red, or grey where no policy covers it."
    " Ends with 1 if something is red.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
