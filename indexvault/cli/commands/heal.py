"""`indexvault heal`: fields that a dead backup left revealed are hidden again."""

from indexvault.backup.heal import ACTIVITIES, HEAL_INDEX, HealJob
from indexvault.backup.reveal_records import RevealRecords
from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.requests import HealRequest
from indexvault.cli.resume import is_dead
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows, run_name
from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.settings.load import service_settings
from indexvault.workflow.unfinished import read_unfinished


async def run(session: Session, request: HealRequest) -> int:
    """Heal what there is to heal, and say each thing."""
    if request.service is not None:
        service_settings(session.settings, request.service)
    codes = []
    async with clients(session) as opened, Workflows(session, opened, ACTIVITIES, HEAL_INDEX) as workflows:
        for name in sorted({service.store for service in session.settings.services.values()}):
            store = opened.store(name)
            await store.prepare()
            async for reveal in RevealRecords(store.runs).all():
                if request.service not in {None, reveal.service} or request.index not in {None, reveal.index}:
                    continue
                index = IndexName(reveal.service, reveal.index)
                noted = await read_unfinished(store.runs, index)
                dead = noted is not None and noted.run == reveal.run and is_dead(noted)
                job = HealJob(
                    service=reveal.service,
                    index=reveal.index,
                    run=reveal.run if dead else run_name(session, "heal"),
                )
                try:
                    with session.output.progress(str(index)) as progress:
                        report = await workflows.run(HEAL_INDEX, job, run=run_name(session, "heal"), progress=progress)
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
        session.output.show("Nothing is left to heal")
    return worst(codes)
