"""Options on their way to a deployment: refused where its API has no member for them, else members of a request."""

from collections.abc import Mapping
from typing import Any

import msgspec

from indexvault.bounds import decode
from indexvault.cli.options import PARALLEL
from indexvault.errors import UNDECODABLE, SettingsError
from indexvault.model import TargetOptions

_API_NAMES = {"in_place": "replace_in_place"}
"""Members of jobs that the API calls by another name."""

_RUN_HERE = "Leave out --url and set INDEXVAULT_CONFIG, to run it here"


def unsupported_verb(verb: str) -> SettingsError:
    """Return the error for a verb that a deployment does not support."""
    return SettingsError("a deployment does not support this", on=f"indexvault {verb}", do=_RUN_HERE)


def refuse_options(given: Mapping[str, bool]) -> None:
    """Raise SettingsError for the first option that is given, since a deployment does not support it."""
    for option, is_given in given.items():
        if is_given:
            raise SettingsError(f"a deployment does not support {option}", on="--url", do=_RUN_HERE)


def parallel_is_given(parallel: int) -> bool:
    """Return whether --parallel differs from its default: a deployment decides itself how much it does at once."""
    return parallel != PARALLEL


def request_members(options: TargetOptions) -> dict[str, Any]:
    """Return options as members of a request, without those that are not set.

    Raises SettingsError for a patch that is no JSON object.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(options)}
    members = {
        _API_NAMES.get(name, name): msgspec.to_builtins(value)
        for name, value in msgspec.structs.asdict(options).items()
        if value and value != defaults[name]
    }
    if "patch" in members:
        try:
            members["patch"] = decode(members["patch"], dict[str, Any])
        except UNDECODABLE as error:
            raise SettingsError(f"it is no JSON object: {error}", on="--patch", do="Correct the file") from None
    return members
