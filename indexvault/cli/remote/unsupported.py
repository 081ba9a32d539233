"""What a deployment's API has no request for: refused before anything is asked, with the way out."""

from collections.abc import Mapping

from indexvault.cli.arguments import PARALLEL
from indexvault.errors import SettingsError

_EMBEDDED = "Leave out --url and set INDEXVAULT_CONFIG, to run it here"


def refuse_verb(verb: str) -> SettingsError:
    """Return the refusal of a whole verb."""
    return SettingsError("a deployment does not offer this", on=f"indexvault {verb}", do=_EMBEDDED)


def refuse_options(asked: Mapping[str, bool]) -> None:
    """Raise SettingsError for the first option that is asked for."""
    for option, is_asked in asked.items():
        if is_asked:
            raise SettingsError(f"a deployment does not offer {option}", on="--url", do=_EMBEDDED)


def is_own_parallel(parallel: object) -> bool:
    """Return whether --parallel was given: how much is done at once is the deployment's own affair."""
    return parallel != PARALLEL
