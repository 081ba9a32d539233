"""Check how a backup is to read by changes, whether settings, options or a request ask for it."""

from datetime import timedelta

from indexvault.errors import SettingsError
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.manifest import MOST_MARGIN

LONGEST_MARGIN = timedelta(seconds=MOST_MARGIN)
LEAST_PROOF = timedelta(hours=1)


def check_changes(changes: ChangesSettings, *, on: str) -> None:
    """Raise SettingsError for a margin or an interval of proofs that makes no sense."""
    if not timedelta() <= changes.margin <= LONGEST_MARGIN:
        raise SettingsError(
            "expected no time or more, and a week at most, such as PT10M",
            on=f"{on}.margin",
            do="Give how far the clocks of the index's writers may be behind",
        )
    if changes.prove_every < LEAST_PROOF:
        raise SettingsError(
            "expected an hour or more, such as P7D", on=f"{on}.prove_every", do="Leave changes out to read in full"
        )
    if changes.prove_every <= changes.margin:
        raise SettingsError(
            "expected more than the margin", on=f"{on}.prove_every", do="Prove less often, or with a shorter margin"
        )
