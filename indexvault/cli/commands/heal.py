"""`indexvault heal`: hide the fields that a dead backup left revealed."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from indexvault.backup.heal import ACTIVITIES, HEAL_INDEX, HealJob
from indexvault.backup.reveal_records import RevealRecords
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.references import optional_service_and_index
from indexvault.cli.resume import is_dead
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows
from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.settings.load import service_settings
from indexvault.workflow.lost_locks import forgive
from indexvault.workflow.unfinished import read_unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class HealRequest:
    """Hide again the fields that dead backups left revealed: of every service, of one, or of an index."""

    service: str | None
    index: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "where", metavar="SERVICE[/INDEX]", nargs="?", help="only this service (default: every service)"
    )


def read_request(arguments: Namespace) -> HealRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    service, index = optional_service_and_index(arguments.where)
    return HealRequest(service=service, index=index)


async def run(session: Session, request: HealRequest) -> int:
    """Hide what was left revealed, index by index, and return the worst exit code."""
    if request.service is not None:
        service_settings(session.settings, request.service)
    codes = []
    async with session.clients() as clients, Workflows(session, clients, ACTIVITIES, HEAL_INDEX) as workflows:
        for name in sorted({service.store for service in session.settings.services.values()}):
            store = clients.store(name)
            await store.prepare()
            async for reveal in RevealRecords(store.runs).all():
                if request.service not in {None, reveal.service} or request.index not in {None, reveal.index}:
                    continue
                index = IndexName(reveal.service, reveal.index)
                noted = await read_unfinished(store.runs, index)
                dead = noted is not None and noted.run == reveal.run and is_dead(noted)
                if dead:
                    await forgive(store.runs, reveal.run, index)
                job = HealJob(
                    service=reveal.service,
                    index=reveal.index,
                    run=reveal.run if dead else session.new_run("heal"),
                )
                try:
                    with session.output.progress(str(index)) as display:
                        report = await workflows.run(HEAL_INDEX, job, run=session.new_run("heal"), display=display)
                except IndexvaultError as error:
                    codes.append(session.output.error(error))
                    continue
                session.output.result(
                    "healed",
                    {"service": reveal.service, "index": reveal.index, "fields": report.fields},
                    f"{index}: hidden again: {', '.join(report.fields) or 'nothing had been revealed'}",
                )
                codes.append(DONE)
    if not codes:
        session.output.show("Nothing to heal")
    return worst(codes)


COMMAND = Command(
    description="Hide again the fields that backups with --hidden-fields reveal have made retrievable and could not"
    " hide themselves, because their process died.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
