"""`indexvault repair`: replace missing or damaged blobs with copies of the same bytes."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.backup.live_index import LiveIndex
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import count, one_line
from indexvault.cli.options import SNAPSHOT_HELP
from indexvault.cli.references import PLACE_HELP, snapshot_set
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.maintenance.targets import SnapshotSet, Target, find_target, find_targets
from indexvault.model import IndexName
from indexvault.settings.policies import reading_order
from indexvault.snapshots.known import give_up
from indexvault.snapshots.names import parse_manifest_name
from indexvault.snapshots.repair import RepairReport, repair_index
from indexvault.snapshots.repair_sources import ReplicaSource, Source
from indexvault.snapshots.store import Store
from indexvault.snapshots.verify import VerifyReport, verify_index


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRequest:
    """Put back what is missing or damaged of the snapshots of a service or an index, or of one.

    `forget_missing` gives up snapshots whose manifest can't be had from anywhere.
    """

    target: SnapshotSet
    store: str | None
    forget_missing: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("target", metavar="SERVICE[/INDEX[@…]]", help=f"{PLACE_HELP}; or one snapshot: {SNAPSHOT_HELP}")
    parser.add_argument("--store", metavar="STORE", help="the store to repair (default: the service's own)")
    parser.add_argument(
        "--forget-missing",
        action="store_true",
        help="give up snapshots whose manifest has vanished and is nowhere else, so that they are no longer expected",
    )


def read_request(arguments: Namespace) -> RepairRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    return RepairRequest(
        target=snapshot_set(arguments.target), store=arguments.store, forget_missing=arguments.forget_missing
    )


async def run(session: Session, request: RepairRequest) -> int:
    """Repair index by index, whether or not others can be, and return the worst exit code."""
    codes = []
    async with session.clients(retry=FIRST_CONTACT) as clients:
        service = request.target.service
        store = clients.store(request.store) if request.store else clients.store_of(service)
        await store.prepare()
        for target in await find_targets(clients, store.name, request.target, session.clock()):
            try:
                await _repair_index(session, request, clients, store, target)
            except IndexvaultError as error:
                codes.append(session.output.error(error))
            else:
                codes.append(DONE)
    return worst(codes)


async def _repair_index(
    session: Session, request: RepairRequest, clients: Clients, store: Store, target: Target
) -> None:
    """Verify, repair, and verify again what was damaged. Raises IntegrityError naming what is still damaged."""
    index = target.index
    found = await _verify(session, store, target)
    if not found.damage:
        record = {"service": index.service, "index": index.index, "repaired": [], "left": []}
        session.output.result("repaired", record, f"Nothing to repair: {index}")
        return
    sources = await _sources(session, clients, store, index)
    report = await _repair(session, store, found, sources)
    after = await _verify_again(session, clients, store, target)
    known = {finding.blob for finding in found.damage}
    if {finding.blob for finding in after.damage} - known:
        # A manifest or a segment that is back shows what else is damaged.
        second = await _repair(session, store, after, sources)
        report = RepairReport(repaired=(*report.repaired, *second.repaired), left=second.left)
        after = await _verify_again(session, clients, store, target)
    if request.forget_missing:
        after = await _forget_missing(session, store, after)
    session.output.result("repaired", {"service": index.service, "index": index.index, **msgspec.to_builtins(report)})
    session.output.show(f"{index}: {count(len(report.repaired), 'blob')} put back, {len(after.damage):,} still damaged")
    after.raise_for_damage()


async def _forget_missing(session: Session, store: Store, found: VerifyReport) -> VerifyReport:
    """Give up the snapshots whose manifests are missing, and return the report without them."""
    gone = {finding.blob: parse_manifest_name(finding.blob) for finding in found.damage if finding.kind == "missing"}
    forgotten = {blob: reference for blob, reference in gone.items() if reference is not None}
    for reference in forgotten.values():
        await give_up(store.runs, reference, session.clock())
        session.output.show(Text.assemble(("forgotten", "yellow"), f"  {reference}"))
    findings = tuple(finding for finding in found.findings if finding.blob not in forgotten)
    return msgspec.structs.replace(found, findings=findings)


async def _repair(session: Session, store: Store, found: VerifyReport, sources: Sequence[Source]) -> RepairReport:
    report = await repair_index(store, found, sources, session.clock)
    for repaired in report.repaired:
        session.output.show(Text.assemble(("put back", "green"), f"  {repaired.blob} from {repaired.source}"))
    for left in report.left:
        session.output.show(Text.assemble(("left", "red"), f"  {left.blob}: {one_line(left.why)}"))
    return report


async def _verify_again(session: Session, clients: Clients, store: Store, target: Target) -> VerifyReport:
    """Verify what was asked for, of which other manifests may be missing by now."""
    asked = target.index if target.summary is None else target.summary.reference
    return await _verify(session, store, await find_target(clients, store.name, asked, session.clock()))


async def _verify(session: Session, store: Store, target: Target) -> VerifyReport:
    with session.output.progress(str(target.index)) as display:
        return await verify_index(
            store.snapshots,
            target.index.service,
            target.index.index,
            only=target.only,
            missing=target.missing,
            progress=lambda chunk: display.advance("verify", documents=chunk.documents, bytes=chunk.bytes),
        )


async def _sources(session: Session, clients: Clients, store: Store, target: IndexName) -> list[Source]:
    """Return the other stores, then the live index: a copy that is meant to be the same is the likelier source."""
    sources: list[Source] = [
        ReplicaSource(f"store {name}", clients.store(name).snapshots)
        for name in reading_order(session.settings, target.service)
        if name != store.name
    ]
    try:
        sources.append(await LiveIndex.open(clients.service(target.service), target.index))
    except IndexvaultError as error:
        session.output.show(Text(f"the live index can't be used: {one_line(str(error))}", style="yellow"))
    return sources


COMMAND = Command(
    description="Read the snapshots back, and replace what is missing and damaged by the same bytes from the other"
    " stores that hold the snapshots, or from the live index where its documents are unchanged.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
