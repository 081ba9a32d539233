"""Names of blobs in the snapshot container, and the references by which people name snapshots.

    search-snapshots/<service>/<index>/manifests/<20261120T023000Z-7f3a9c>.json
    search-snapshots/<service>/<index>/packs/<sha256>.jsonl.gz
    search-snapshots/<service>/<index>/packs/<generation>/<sha256>.jsonl.gz
    search-snapshots/<service>/<index>/segments/<sha256>.jsonl.gz
    search-snapshots/<service>/<index>/segments/<generation>/<sha256>.jsonl.gz
    search-snapshots/<service>/<index>/locations/<sha256 of a pack that was rewritten>.jsonl.gz
    search-snapshots/<service>/<index>/locations/<generation>/<sha256>.jsonl.gz
    search-snapshots/<service>/$service/manifests/<id>.json

Every prefix ends with a slash, so listing `hotels` never finds `hotels-2`. A character other than `A-Z a-z 0-9 - _` is
written as `=` and two upper-case hex digits for each of its UTF-8 bytes; names of indexes need no escaping.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

import msgspec

from indexvault.errors import SettingsError
from indexvault.model import INDEX_NAME_LENGTH

SNAPSHOT_CONTAINER = "search-snapshots"

SERVICE_OBJECTS = "$service"
"""The index name under which a service's other objects are kept: synonym maps, aliases, indexers and so on."""

_SNAPSHOT_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_SHORT_ID = re.compile(r"[0-9a-f]{4,6}")
_RELATIVE = re.compile(r"-(?P<number>[0-9]{1,4})(?P<unit>min|h|d|w)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_YESTERDAY = "yesterday"
_PACK_FILE = re.compile(r"([0-9a-f]{64})\.jsonl\.gz")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_ENTROPY_BYTES = 3

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|\d{8})"
    r"(?:[T ](?P<clock>\d\d:\d\d|\d{4}|(?P<second>\d\d:\d\d:\d\d|\d{6})(?P<fraction>\.\d{1,6})?)"
    r"(?:Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


PackKind = Literal["packs", "segments", "locations"]
"""What a blob besides the manifests holds: chunks, segments of trees, or where the members of a rewritten pack lie."""


class PackFolder(msgspec.Struct, frozen=True):
    """Where an index's packs lie.

    Snapshots of one generation share packs. `generation` is empty for the first one. A new generation writes everything
    again although it exists, which a container with an immutability period may need.
    """

    service: str
    index: str
    generation: str = ""

    def prefix(self, kind: PackKind = "packs") -> str:
        """Return the prefix of this generation's packs of a kind; for the first one, of those of all generations."""
        generation = f"{_escape(self.generation)}/" if self.generation else ""
        return f"{index_prefix(self.service, self.index)}{kind}/{generation}"

    def blob(self, kind: PackKind, sha256: str) -> str:
        """Return the name of the blob of a kind with this hash."""
        return f"{self.prefix(kind)}{sha256}.jsonl.gz"

    def pack(self, sha256: str) -> str:
        """Return the name of the pack of chunks whose bytes hash to this."""
        return self.blob("packs", sha256)

    def segments(self, sha256: str) -> str:
        """Return the name of the pack of segments whose bytes hash to this."""
        return self.blob("segments", sha256)

    def locations(self, sha256: str) -> str:
        """Return the name of the record that says where the members of the pack with this name lie now."""
        return self.blob("locations", sha256)


class PackName(msgspec.Struct, frozen=True):
    """A blob's name, taken apart."""

    kind: PackKind
    folder: PackFolder
    sha256: str

    @property
    def blob(self) -> str:
        """The name of the blob."""
        return self.folder.blob(self.kind, self.sha256)


PROVED = "proved"
"""What stands after the @ for the newest snapshot whose run read the whole index."""


class SnapshotReference(msgspec.Struct, frozen=True):
    """A snapshot as people name it: `service/index@latest`, `@proved`, `@<time>` or `@<id>` of an index.

    At most one of the others is set; with none, the newest is meant. `short` is the random part of an id, or its
    first four digits at least. `at`, and `back`, a time relative to now such as `-1d`, mean the newest at or before it.
    `proved` leaves out those that are presumed, or whose counts left documents open.
    Only `id` means the same snapshot tomorrow: what is stored must be resolved to it.
    """

    service: str
    index: str
    id: str | None = None
    at: datetime | None = None
    short: str | None = None
    back: str | None = None
    proved: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference.

        A time is UTC unless it has `Z` or an offset, may be written with or without separators, and means its last
        moment: `2026-11-20` is the end of that day in UTC, `2026-11-20T02:30` the end of that minute. `until` tells
        what relative times mean. Raises SettingsError if the text is no reference.
        """
        place, at, point = text.partition("@")
        service, slash, index = place.partition("/")
        if not at and service and index and "/" not in index:
            place = text[: 2 * INDEX_NAME_LENGTH]
            raise SettingsError(
                "this is not service/index@latest, @<time> or @<id> but an index",
                on=f"snapshot reference {place!r}",
                do=f"{place}@latest is its newest snapshot",
            )
        if not (at and slash and service and index and point) or "/" in index:
            raise _malformed("this is not service/index@latest, @proved, @<time> or @<id>", text)
        for name in (service, index):
            if len(name) > INDEX_NAME_LENGTH:
                raise _malformed(f"a name in it is longer than {INDEX_NAME_LENGTH} characters", text)
        if point == "latest":
            return cls(service=service, index=index)
        if point == PROVED:
            return cls(service=service, index=index, proved=True)
        if is_snapshot_id(point):
            return cls(service=service, index=index, id=point)
        if _SHORT_ID.fullmatch(point):
            return cls(service=service, index=index, short=point)
        if point == _YESTERDAY or _RELATIVE.fullmatch(point):
            return cls(service=service, index=index, back=point)
        return cls(service=service, index=index, at=_last_moment(point, text))

    @property
    def is_by_id(self) -> bool:
        """Whether one snapshot is meant by its id or a part of it, and not the newest before a time."""
        return self.id is not None or self.short is not None

    def names(self, snapshot: str) -> bool:
        """Return whether this is a snapshot's id, or a part of it."""
        if self.short is not None:
            return snapshot.rpartition("-")[2].startswith(self.short)
        return self.id == snapshot

    def until(self, now: datetime) -> datetime | None:
        """Return the time that the newest snapshot at or before is meant of, or None if no time is named.

        `yesterday` is the end of the day before, in UTC; `-90min`, `-2h`, `-1d` and `-3w` are that long before now.
        """
        if self.back is None:
            return self.at
        found = _RELATIVE.fullmatch(self.back)
        if found is None:
            midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight - timedelta(microseconds=1)
        return now.astimezone(UTC) - int(found["number"]) * _UNITS[found["unit"]]

    def __str__(self) -> str:
        point = self.id or self.short or self.back or (self.at.isoformat() if self.at else "")
        point = point or (PROVED if self.proved else "latest")
        return f"{self.service}/{self.index}@{point}"


def snapshot_id(now: datetime, entropy: bytes) -> str:
    """Return an id such as `20261120T023000Z-7f3a9c` for an aware time and at least three random bytes.

    Ids sort by time; the random part keeps two snapshots of one second apart. Raises SettingsError for a naive time or
    too few bytes.
    """
    if now.tzinfo is None or len(entropy) < _ENTROPY_BYTES:
        raise SettingsError(
            "an id is made from an aware time and three random bytes",
            on="snapshot id",
            do="Pass a clock in UTC and a source of randomness",
        )
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{entropy[:_ENTROPY_BYTES].hex()}"


def is_snapshot_id(text: str) -> bool:
    """Return whether this is a snapshot's id with a valid time."""
    if not _SNAPSHOT_ID.fullmatch(text):
        return False
    try:
        id_time(text)
    except ValueError:
        return False
    return True


def id_time(snapshot: str) -> datetime:
    """Return the time in a snapshot's id, to the second."""
    return datetime.strptime(snapshot.partition("-")[0], "%Y%m%dT%H%M%S%z")


def service_prefix(service: str) -> str:
    """Return the prefix of a service's blobs in the snapshot container."""
    return f"{_escape(service)}/"


def index_prefix(service: str, index: str) -> str:
    """Return the prefix of an index's blobs in the snapshot container."""
    return f"{service_prefix(service)}{_index_segment(index)}/"


def manifests_prefix(service: str, index: str) -> str:
    """Return the prefix of an index's manifests."""
    return f"{index_prefix(service, index)}manifests/"


def manifest_name(service: str, index: str, snapshot: str) -> str:
    """Return the name of a snapshot's manifest."""
    return f"{manifests_prefix(service, index)}{snapshot}.json"


def parse_manifest_name(name: str) -> SnapshotReference | None:
    """Return the snapshot whose manifest has this name, or None if it is not the name of a manifest."""
    match name.split("/"):
        case [service, index, "manifests", file] if is_snapshot_id(file.removesuffix(".json")) and ".json" in file:
            service_name, index_name = parse_segment(service), parse_segment(index)
            if service_name is None or index_name is None:
                return None
            return SnapshotReference(service=service_name, index=index_name, id=file.removesuffix(".json"))
        case _:
            return None


def parse_segment(segment: str) -> str | None:
    """Return the service or index that a folder of the snapshot container is for, or None if it is foreign."""
    if segment == SERVICE_OBJECTS:
        return segment
    if not _ESCAPED.fullmatch(segment):
        return None
    raw = re.sub(r"=(..)", lambda found: chr(int(found[1], 16)), segment)
    try:
        name = raw.encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
    return name if _escape(name) == segment else None


def segment_of(name: str) -> str:
    """Return the folder or file name for a name; `parse_segment` reverses it."""
    return _escape(name)


def parse_pack_name(name: str) -> PackName | None:
    """Return what the name of a pack, or of a record of locations, says, or None if it is not the name of one."""
    match name.split("/"):
        case [service, index, ("packs" | "segments" | "locations") as kind, file]:
            segments = (service, index, "")
        case [service, index, ("packs" | "segments" | "locations") as kind, generation, file]:
            segments = (service, index, generation)
        case _:
            return None
    names = ["" if segment == "" else parse_segment(segment) for segment in segments]
    found = _PACK_FILE.fullmatch(file)
    if found is None or names[0] is None or names[1] is None or names[2] is None or segments[0] == "":
        return None
    return PackName(kind, PackFolder(service=names[0], index=names[1], generation=names[2]), found[1])


def repair_advice(blob: str) -> str:
    """Return what to do about a blob of a snapshot that is damaged or gone."""
    segments = blob.split("/")
    names = [parse_segment(segment) for segment in segments[:2]]
    of = "/".join(name for name in names if name) if len(segments) > 2 and all(names) else "SERVICE/INDEX"  # noqa: PLR2004 - service, index, folder
    return f"Run `indexvault repair {of}`, which puts back what exists elsewhere, or use another snapshot"


def _index_segment(index: str) -> str:
    return index if index == SERVICE_OBJECTS else _escape(index)


def _escape(name: str) -> str:
    if not name:
        raise SettingsError("a name at rest can't be empty", on="name", do="Name the service, index or run")
    return "".join(
        character if _PLAIN.fullmatch(character) else "".join(f"={byte:02X}" for byte in character.encode())
        for character in name
    )


def _last_moment(point: str, text: str) -> datetime:
    parts = _TIME.fullmatch(point)
    if parts is None:
        raise _malformed(f"{point!r} is neither latest, nor a time, nor a snapshot's id or four digits of it", text)
    try:
        begin = datetime.fromisoformat(point)
    except ValueError as error:
        raise _malformed(f"{point!r} is not a time of the calendar", text) from error
    if parts["fraction"]:
        unit = timedelta(microseconds=1)
    elif parts["second"]:
        unit = timedelta(seconds=1)
    elif parts["clock"]:
        unit = timedelta(minutes=1)
    else:
        unit = timedelta(days=1)
    try:
        aware = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
        return aware.astimezone(UTC) + (unit - timedelta(microseconds=1))
    except OverflowError as error:
        raise _malformed(f"{point!r} is not a time of the calendar", text) from error


def _malformed(what: str, text: str) -> SettingsError:
    return SettingsError(
        what,
        on=f"snapshot reference {text[: 2 * INDEX_NAME_LENGTH]!r}",
        do="Write it as contoso-east/hotels@latest, @yesterday, @-2h, @2026-11-20T02:30Z, @20261120T023000Z-7f3a9c or"
        " @7f3a9c",
    )
