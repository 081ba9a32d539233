"""Types of the names in requests: of services, indexes, snapshots, overlays and runs. Never an address."""

from typing import Annotated

import msgspec

from indexvault.model import CONFIGURED_NAME, CONFIGURED_NAME_LENGTH, INDEX_NAME, INDEX_NAME_LENGTH, INDEX_PATTERN
from indexvault.snapshots.labels import MOST_TAGS, TAG_FILTER


def _text(pattern: str, example: str, *, longest: int, description: str) -> msgspec.Meta:
    r"""Return the constraints of a text that matches a pattern from end to end.

    In Python `$` also matches before a last line break; JavaScript, which reads the pattern in the OpenAPI document,
    has no `\Z`. So the pattern also says that no line break follows.
    """
    return msgspec.Meta(pattern=rf"^{pattern}$(?!\n)", max_length=longest, description=description, examples=[example])


type ServiceName = Annotated[
    str,
    _text(
        CONFIGURED_NAME,
        "contoso-east",
        longest=CONFIGURED_NAME_LENGTH,
        description="A service in the app's settings.",
    ),
]
type PairName = Annotated[
    str,
    _text(CONFIGURED_NAME, "contoso", longest=CONFIGURED_NAME_LENGTH, description="A pair in the app's settings."),
]
type IndexName = Annotated[
    str, _text(INDEX_NAME, "hotels", longest=INDEX_NAME_LENGTH, description="The name of an index.")
]
type KeptName = Annotated[
    str,
    _text(
        rf"({INDEX_NAME}|\$service)",
        "hotels",
        longest=INDEX_NAME_LENGTH,
        description="An index that has snapshots, or `$service`: the service's other objects.",
    ),
]
type KeptPattern = Annotated[
    str,
    _text(
        r"([a-z0-9*][a-z0-9*_-]*|\$service)",
        "hotels*",
        longest=INDEX_NAME_LENGTH,
        description="An index that has snapshots, a pattern with `*`, or `$service`: the service's other objects.",
    ),
]
type StoreName = Annotated[
    str,
    _text(CONFIGURED_NAME, "east", longest=CONFIGURED_NAME_LENGTH, description="A store in the app's settings."),
]
type IndexPattern = Annotated[
    str,
    _text(
        INDEX_PATTERN,
        "hotels*",
        longest=len("!") + INDEX_NAME_LENGTH,
        description="An index, or a pattern with `*`; `!` in front leaves out. The last entry that fits decides.",
    ),
]
_DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?"
_ID = "([0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}|[0-9a-f]{4,6})"
_POINT = f"(latest|proved|yesterday|-[0-9]{{1,4}}(min|h|d|w)|{_ID}|{_DAY}(T{_CLOCK})?)"
type SnapshotPoint = Annotated[
    str,
    _text(
        _POINT,
        "latest",
        longest=40,
        description="`latest`; `proved`, the newest whose run read the whole index; a snapshot's id, or four digits of"
        " its random part; or a time: the newest snapshot at or before it."
        " A time may be relative: `yesterday`, `-90min`, `-2h`, `-1d`, `-3w`.",
    ),
]
type SnapshotName = Annotated[
    str,
    _text(
        f"[a-z0-9-]{{1,{CONFIGURED_NAME_LENGTH}}}/[a-z0-9_-]{{1,{INDEX_NAME_LENGTH}}}@{_POINT}",
        "contoso-east/hotels@latest",
        longest=230,
        description="A snapshot: `service/index@latest`, `@proved`, `@<time>` or `@<id>`.",
    ),
]
type KeptSnapshotName = Annotated[
    str,
    _text(
        rf"[a-z0-9-]{{1,{CONFIGURED_NAME_LENGTH}}}/([a-z0-9_-]{{1,{INDEX_NAME_LENGTH}}}|\$service)@{_POINT}",
        "contoso-east/hotels@latest",
        longest=230,
        description="A snapshot of an index, or of `$service`, the service's other objects.",
    ),
]
type SnapshotId = Annotated[
    str,
    _text(
        _ID,
        "20261120T023000Z-7f3a9c",
        longest=40,
        description="A snapshot of an index by its id, or by four digits of the id's random part.",
    ),
]
type OverlayName = Annotated[
    str,
    _text("[A-Za-z0-9][A-Za-z0-9._-]{0,59}", "production", longest=60, description="An overlay in the app's settings."),
]
type TagFilters = Annotated[
    str,
    _text(
        f"{TAG_FILTER}(,{TAG_FILTER}){{0,{MOST_TAGS - 1}}}",
        "release=4.*",
        longest=300,
        description="Tags, all of which a snapshot has: `NAME`, `NAME=VALUE` or `NAME=PAT*`, separated by commas.",
    ),
]
RUN_NAME = "[0-9]{8}T[0-9]{6}Z-[a-z0-9-]{1,72}"
"""Regular expression for the name of a run, from end to end."""

type RunName = Annotated[
    str,
    _text(
        RUN_NAME,
        "20261120T023000Z-backup-7f3a9c",
        longest=89,
        description="A run, as its 202 named it.",
    ),
]
