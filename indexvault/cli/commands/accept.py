"""`indexvault accept`: trust snapshots that no record key has signed."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, instant
from indexvault.cli.references import service_and_index, snapshot_reference
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.errors import IntegrityError, NotFoundError, SettingsError
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import MANIFEST_LIMIT
from indexvault.snapshots.names import SERVICE_OBJECTS, manifest_name
from indexvault.snapshots.record_keys import MAKE_A_KEY
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, to_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest:
    """Accept one snapshot (`id`), or `all` of a service or index; without either, list what there is to accept."""

    service: str
    index: str | None
    id: str | None
    all: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "what",
        metavar="SERVICE[/INDEX[@ID]]",
        help="a snapshot by its id; or a service or index, to list its snapshots",
    )
    parser.add_argument("--all", action="store_true", help="accept all that are listed")


def read_request(arguments: Namespace) -> AcceptRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one, or @latest or a time."""
    if "@" not in arguments.what:
        service, index = service_and_index(arguments.what)
        return AcceptRequest(service=service, index=index, id=None, all=arguments.all)
    reference = snapshot_reference(arguments.what)
    if reference.id is None:
        raise SettingsError("only its id names one snapshot", on=arguments.what, do="Name it as `snapshots` lists it")
    return AcceptRequest(service=reference.service, index=reference.index, id=reference.id, all=False)


async def run(session: Session, request: AcceptRequest) -> int:
    """List the snapshots that are not authentic, and accept those that were asked for, in every store that has them."""
    async with session.clients() as clients:
        if not clients.record_keys:
            raise SettingsError("no record key is set, so there is nothing to accept", on="record_key", do=MAKE_A_KEY)
        found = 0
        for name in reading_order(clients.settings, request.service):
            store = clients.store(name)
            for summary in await _unauthentic(store, request):
                found += 1
                if request.all or request.id is not None:
                    await store.prepare()
                    await _accept(store, summary)
                _print(session, name, summary, is_accepted=request.all or request.id is not None)
        if request.id is not None and not found:
            await _require_known(clients, request)
        if not found:
            session.output.show("There is nothing to accept: every snapshot is authentic or accepted")
        elif not request.all and request.id is None:
            hint = "Accept one by its id, or all with --all, if you know where they are from"
            session.output.show(Text(f"{count(found, 'snapshot')} not authentic. {hint}", style="yellow"))
    return DONE


async def _unauthentic(store: Store, request: AcceptRequest) -> list[Summary]:
    try:
        listed = await list_snapshots(store.snapshots, request.service, request.index)
    except NotFoundError:  # nothing has been copied to it yet
        return []
    return [
        each
        for each in listed
        if not each.is_trusted and each.state != "damaged" and (request.id is None or each.id == request.id)
    ]


async def _accept(store: Store, summary: Summary) -> None:
    """Accept a snapshot as it is now. Raises IntegrityError if its manifest does not bear out what was shown."""
    name = manifest_name(summary.service, summary.index, summary.id)
    data = await store.snapshots.read(name, MANIFEST_LIMIT)
    if summary.index == SERVICE_OBJECTS:
        await read_service_manifest(store.snapshots, summary.reference)
    else:
        manifest = await read_manifest(store.snapshots, summary)
        if (manifest.state, manifest.counts.documents) != (summary.state, summary.documents):
            raise IntegrityError(
                "the summary in its metadata is not that of the manifest", on=name, do="Verify the snapshot first"
            )
    authority = store.snapshots.authority
    await authority.accept(summary.service, summary.index, summary.id, data, to_metadata(summary))


async def _require_known(clients: Clients, request: AcceptRequest) -> None:
    for name in reading_order(clients.settings, request.service):
        for each in await list_snapshots(clients.store(name).snapshots, request.service, request.index):
            if each.id == request.id:
                return
    on = f"{request.service}/{request.index}@{request.id}"
    raise NotFoundError("there is no such snapshot", on=on, do="List the snapshots there are")


def _print(session: Session, store: str, summary: Summary, *, is_accepted: bool) -> None:
    verdict = ("accepted     ", "green") if is_accepted else ("not authentic", "red")
    session.output.result(
        "accepted" if is_accepted else "unauthentic",
        {"reference": str(summary.reference), "store": store, "state": summary.state, "documents": summary.documents},
        Text.assemble(
            verdict,
            f"  {summary.reference} in store {store}: {summary.state}, {count(summary.documents, 'document')}, dated"
            f" {instant(summary.created)}, which says that {summary.tool} made it in run {summary.run}",
        ),
    )


COMMAND = Command(
    description="Trust snapshots that no record key has signed, such as those from before there was a key, or copies of"
    " somebody else's. Each is accepted as it is now: one that is changed later is not authentic again. Without an id"
    " and without --all nothing is accepted, only listed.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
