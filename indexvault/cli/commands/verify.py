"""`indexvault verify`: snapshots read back and proved."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.formatting import count, size
from indexvault.cli.options import SNAPSHOT_HELP
from indexvault.cli.output import Output
from indexvault.cli.references import PLACE_HELP, snapshot_set
from indexvault.cli.remote.follow import follow, start
from indexvault.cli.remote.reports import read_report
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import point_of
from indexvault.cli.session import Session
from indexvault.errors import IndexvaultError
from indexvault.maintenance.targets import SnapshotSet, Target, find_targets
from indexvault.maintenance.verification import Verification, failure_of
from indexvault.snapshots.slices import WHOLE, Slice
from indexvault.snapshots.store import Store
from indexvault.snapshots.verify import VerifyReport, verify_index


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Read one snapshot back and prove it, or all of an index or a service.

    `sample` limits which packs are read, `sizes` only compares sizes and reads none. `store` is another store than the
    service's own.
    """

    target: SnapshotSet
    sample: Slice | None = None
    sizes: bool = False
    store: str | None = None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("target", metavar="SERVICE[/INDEX[@…]]", help=f"{PLACE_HELP}; or one snapshot: {SNAPSHOT_HELP}")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--sample", metavar="N/T", help="read back only slice N of T; 1/12 to 12/12 are everything")
    amount.add_argument("--sizes", action="store_true", help="only check that every pack exists and is large enough")
    parser.add_argument("--store", metavar="STORE", help="the store to read (default: the service's own)")


def read_request(arguments: Namespace) -> VerifyRequest:
    """Return what the arguments ask for. Raises SettingsError for a name or a slice that can't be one."""
    return VerifyRequest(
        target=snapshot_set(arguments.target),
        sample=Slice.parse(arguments.sample) if arguments.sample is not None else None,
        sizes=arguments.sizes,
        store=arguments.store,
    )


async def run(session: Session, request: VerifyRequest) -> int:
    """Verify index by index, whether or not others are damaged, and return the worst exit code."""
    codes = []
    async with session.clients() as clients:
        asked = request.target
        store = clients.store(request.store) if request.store is not None else clients.store_of(asked.service)
        for target in await find_targets(clients, store.name, asked, session.clock()):
            try:
                await _verify(session, request, store, target)
            except IndexvaultError as error:
                codes.append(session.output.error(error))
            else:
                codes.append(DONE)
    return worst(codes)


async def _verify(session: Session, request: VerifyRequest, store: Store, target: Target) -> None:
    """Verify the snapshots of an index, or one of them.

    Raises IntegrityError naming each damaged blob and its snapshots, after all have been read; if none is, and a record
    key is set, UnauthenticError naming the snapshots that are sound and not authentic.
    """
    summary = target.summary
    with session.output.progress(str(target.index)) as display:
        if summary is not None:
            display.advance("verify", expected=summary.documents)
        report = await verify_index(
            store.snapshots,
            target.index.service,
            target.index.index,
            only=target.only,
            missing=target.missing,
            depth="sizes" if request.sizes else "content",
            sample=request.sample or WHOLE,
            progress=lambda chunk: display.advance("verify", documents=chunk.documents, bytes=chunk.bytes),
        )
    reference = str(target.index) if summary is None else str(summary.reference)
    print_verification(session.output, request, Verification(reference, report))


def print_verification(output: Output, request: VerifyRequest, verified: Verification) -> None:
    """Print what was found. Raises IntegrityError for damage, else UnauthenticError."""
    reference, report = verified.reference, verified.report
    output.result(
        "verify",
        {"reference": reference, **msgspec.to_builtins(report), "damage": msgspec.to_builtins(report.damage)},
        *_lines(reference, request, report),
    )
    failure = failure_of(report)
    if failure is not None:
        raise failure


async def run_remotely(session: RemoteSession, request: VerifyRequest) -> int:
    """Have a deployment verify, and return the worst exit code."""
    asked = request.target
    members = {
        "service": asked.service,
        "index": asked.index,
        "snapshot": None if asked.snapshot is None else point_of(asked.snapshot),
        "sample": None if request.sample is None else str(request.sample),
        "sizes": request.sizes or None,
        "store": request.store,
    }
    body = {name: value for name, value in members.items() if value is not None}
    view = await follow(session, await start(session, "verifications", body), str(asked))
    codes = []
    for item in range(len(view.indexes)):
        try:
            print_verification(session.output, request, await read_report(session, view, item, Verification))
        except IndexvaultError as error:
            codes.append(session.output.error(error))
        else:
            codes.append(DONE)
    return worst(codes)


def _lines(reference: str, request: VerifyRequest, report: VerifyReport) -> Sequence[Text]:
    """Return the lines about what is sound; damage is raised as an error."""
    lines = [
        Text.assemble(("foreign", "yellow"), f"  {finding.blob}: {finding.what}")
        for finding in report.findings
        if finding.kind == "foreign"
    ]
    if report.unnamed:
        unnamed = f"{count(report.unnamed, 'pack')} ({size(report.unnamed_bytes or 0)})"
        lines.append(
            Text(f"{unnamed} that no snapshot uses: left by a backup that failed, or by a removal", style="yellow")
        )
    if report.damage:
        return lines
    if request.sizes:
        what = "lies in a pack that exists and is large enough"
    elif request.sample is not None:
        what = f"is there, and in slice {request.sample} every checksum, key and count is as it was written"
    else:
        what = "is there: every checksum, key and count is as it was written"
    snapshots = f"{count(report.snapshots, 'snapshot')}: " if report.snapshots != 1 else ""
    return [
        *lines,
        Text.assemble(("sound", "green"), "  ", (reference, "bold")),
        Text(
            f"  {snapshots}{count(report.documents, 'document')} in {count(report.chunks, 'chunk')} checked of"
            f" {report.chunks_named:,}, {size(report.bytes)}: each chunk {what}"
        ),
        *_authenticity_lines(report),
    ]


def _authenticity_lines(report: VerifyReport) -> Sequence[Text]:
    """Return the lines about who made the snapshots: none without a record key, which could tell."""
    told = Counter(report.authenticity.values())
    lines = []
    if told["authentic"]:
        lines.append(
            Text.assemble(("authentic", "green"), f"  {count(told['authentic'], 'snapshot')} signed with a key")
        )
    if told["accepted"]:
        what = f"  {count(told['accepted'], 'snapshot')} signed with no key, accepted by an operator"
        lines.append(Text.assemble(("accepted", "yellow"), what))
    if told["unauthentic"]:
        what = f"  {count(told['unauthentic'], 'snapshot')} that anybody may have written"
        lines.append(Text.assemble(("not authentic", "red"), what))
    return lines


COMMAND = Command(
    description="Read every chunk of a snapshot, or of all snapshots of an index or a service, back and compare it"
    " with what the manifest and its tree list. Shared chunks are read once. Sends nothing to a search service.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
