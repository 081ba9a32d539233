"""The full reports of a deployment's runs."""

from indexvault.api.run_views import IndexView, RunView
from indexvault.cli.remote.follow import failure_of
from indexvault.cli.remote.runs import run_path
from indexvault.cli.remote.session import RemoteSession
from indexvault.errors import IndexvaultError, NotFoundError


async def read_report[Report](session: RemoteSession, view: RunView, item: int, kind: type[Report]) -> Report:
    """Return the report of one index of a run that has ended. Raises the index's failure if it has none."""
    try:
        return await session.deployment.get(f"{run_path(view.run)}/reports/{item}", kind)
    except NotFoundError:
        raise _failure(view.indexes[item], view.run) from None


def _failure(index: IndexView, run: str) -> IndexvaultError:
    return failure_of(index) or IndexvaultError(
        "its report is gone", on=f"run {run}", do="Run it again: reports are removed with old runs"
    )
