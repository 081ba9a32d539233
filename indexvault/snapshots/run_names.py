"""Names of blobs in the run container.

    search-runs/locks/<service>/<index>.json
    search-runs/runs/<run>/<part>.json
    search-runs/records/<run>.json
    search-runs/open/<run>.json
    search-runs/restores/<service>/<index>.json
    search-runs/moves/<service>/<index>.json
    search-runs/reports/<run>/<part>.json
    search-runs/pins/<service>/<index>/<id>.json
    search-runs/holds/<service>/<index>/<id>/<run>.json
    search-runs/reveals/<service>/<index>.json
    search-runs/unfinished/<service>/<index>.json
    search-runs/lost-locks/<run>/<service>/<index>.json
    search-runs/tombstones/<service>/<index>/<id>.json
    search-runs/announcements/<service>/<index>/<id>.json
    search-runs/known/<service>/<index>/<id>.json
    search-runs/sweeps/<service>/<index>.json
    search-runs/verified/<service>/<index>.json
    search-runs/accepted/<service>/<index>.json
    search-runs/unchanged/<service>/<index>.json
    search-runs/drills/<service>/<index>.json
    search-runs/open-drills/<service>/<index>.json
    search-runs/pairs/<pair>/<generation>.json
    search-runs/failovers/<pair>.json
    search-runs/alerts/notices.json
    search-runs/alerts/tick.json
    search-runs/followed/<service>/<index>.json
    search-runs/restored/<service>/<index>.json
    search-runs/standbys/<pair>/<service>/<index>.json
    search-runs/drifts/<pair>/<index>.json
    search-runs/signed.json

Names are escaped as those of the snapshot container are; see `names`.
"""

from indexvault.snapshots.names import (
    SnapshotReference,
    index_prefix,
    is_snapshot_id,
    parse_segment,
    segment_of,
    service_prefix,
)

RUN_CONTAINER = "search-runs"
_HOLD_PARTS = 5
"""Parts of a hold's name: holds, service, index, snapshot, run."""
_PIN_PARTS = 4
"""Parts of a pin's name: pins, service, index, snapshot."""

RECORDS_PREFIX = "records/"
"""The prefix of all records of runs."""

OPEN_PREFIX = "open/"
"""The prefix of the marks of all unfinished runs."""

SIGNING_MARK = "signed.json"
"""The blob that says that records are signed here."""

NOTICES = "alerts/notices.json"
"""The record of what was told of which alert to whom."""

LAST_TICK = "alerts/tick.json"
"""The record of the last tick that looked at everything."""

LOCKS_PREFIX = "locks/"
"""The prefix of all locks."""

REVEALS_PREFIX = "reveals/"
"""The prefix of all records of revealed fields."""

LOST_LOCKS_PREFIX = "lost-locks/"
"""The prefix of the marks of all runs that have lost a lock."""


def lock_name(service: str, index: str) -> str:
    """Return the name of the blob whose lease makes one run the only writer of an index."""
    return _index_blob(LOCKS_PREFIX, service, index)


def locked_index(name: str) -> tuple[str, str] | None:
    """Return the service and index that a lock's name tells, or None if the blob is foreign."""
    match name.split("/"):
        case ["locks", service, index] if index.endswith(".json"):
            names = parse_segment(service), parse_segment(index.removesuffix(".json"))
            if names[0] is not None and names[1] is not None:
                return names[0], names[1]
    return None


def lost_lock_name(run: str, service: str, index: str) -> str:
    """Return the name of the mark that a run has lost the lock of an index."""
    return _index_blob(f"{LOST_LOCKS_PREFIX}{segment_of(run)}/", service, index)


def run_prefix(run: str) -> str:
    """Return the prefix of a run's checkpoints."""
    return f"runs/{segment_of(run)}/"


def checkpoint_name(run: str, part: str) -> str:
    """Return the name of a run's checkpoint for one part of its work."""
    return f"{run_prefix(run)}{segment_of(part)}.json"


def record_name(run: str) -> str:
    """Return the name of the record of what a run was to do and how it ended."""
    return f"{RECORDS_PREFIX}{segment_of(run)}.json"


def open_name(run: str) -> str:
    """Return the name of the mark that a run has until it is finished."""
    return f"{OPEN_PREFIX}{segment_of(run)}.json"


def run_of(name: str) -> str | None:
    """Return the run whose record or mark has this name, or None if the blob is foreign."""
    return parse_segment(name.rpartition("/")[2].removesuffix(".json"))


def restore_name(service: str, index: str) -> str:
    """Return the name of the state of an unfinished restore into this index."""
    return _index_blob("restores/", service, index)


def move_name(service: str, index: str) -> str:
    """Return the name of the state of an unfinished move of this index."""
    return _index_blob("moves/", service, index)


def reveal_name(service: str, index: str) -> str:
    """Return the name of the record that hidden fields of this index are, or will be, made retrievable."""
    return _index_blob(REVEALS_PREFIX, service, index)


def unfinished_name(service: str, index: str) -> str:
    """Return the name of the record of an unfinished backup of this index from a command line."""
    return _index_blob("unfinished/", service, index)


def report_name(run: str, part: str) -> str:
    """Return the name of a report that outlives its run's checkpoints."""
    return f"reports/{segment_of(run)}/{segment_of(part)}.json"


HOLDS_PREFIX = "holds/"
"""The prefix of all holds."""


PINS_PREFIX = "pins/"
"""The prefix of all pins."""


def pins_prefix(service: str, index: str) -> str:
    """Return the prefix of the pins of an index's snapshots."""
    return f"{PINS_PREFIX}{index_prefix(service, index)}"


def pinned_index(name: str) -> tuple[str, str] | None:
    """Return the service and index that a pin's name tells, or None if the blob is foreign."""
    parts = name.split("/")
    if len(parts) != _PIN_PARTS:
        return None
    service, index = parse_segment(parts[1]), parse_segment(parts[2])
    return None if service is None or index is None else (service, index)


def pin_name(service: str, index: str, snapshot: str) -> str:
    """Return the name of the blob that keeps a snapshot from being pruned."""
    return f"{pins_prefix(service, index)}{snapshot}.json"


def holds_prefix(service: str, index: str, snapshot: str | None = None) -> str:
    """Return the prefix of the holds of an index's snapshots, or of one of them."""
    return f"{HOLDS_PREFIX}{index_prefix(service, index)}" + (f"{snapshot}/" if snapshot is not None else "")


def held_index(name: str) -> tuple[str, str] | None:
    """Return the service and index that a hold's name tells, or None if the blob is foreign."""
    parts = name.split("/")
    if len(parts) != _HOLD_PARTS:
        return None
    service, index = parse_segment(parts[1]), parse_segment(parts[2])
    return None if service is None or index is None else (service, index)


def hold_name(service: str, index: str, snapshot: str, run: str) -> str:
    """Return the name of the record that an unfinished run needs a snapshot."""
    return f"{holds_prefix(service, index, snapshot)}{segment_of(run)}.json"


def tombstones_prefix(service: str, index: str) -> str:
    """Return the prefix of the tombstones of an index's snapshots."""
    return f"tombstones/{index_prefix(service, index)}"


def tombstone_name(service: str, index: str, snapshot: str) -> str:
    """Return the name of the record that a snapshot is being, or was, removed."""
    return f"{tombstones_prefix(service, index)}{snapshot}.json"


def announcements_prefix(service: str, index: str) -> str:
    """Return the prefix of the announcements of an index's snapshots."""
    return f"announcements/{index_prefix(service, index)}"


def announcement_name(service: str, index: str, snapshot: str) -> str:
    """Return the name of the record that a snapshot is about to be committed: by its id, or by that of its plan."""
    return f"{announcements_prefix(service, index)}{snapshot}.json"


def known_prefix(service: str | None = None, index: str | None = None) -> str:
    """Return the prefix of the records of the snapshots of an index, a service or the whole store."""
    if service is None:
        return "known/"
    return f"known/{service_prefix(service) if index is None else index_prefix(service, index)}"


def known_name(service: str, index: str, snapshot: str) -> str:
    """Return the name of the record that a snapshot was committed."""
    return f"{known_prefix(service, index)}{snapshot}.json"


def parse_known_name(name: str) -> SnapshotReference | None:
    """Return the snapshot whose record has this name, or None if the blob is foreign."""
    match name.split("/"):
        case ["known", service, index, file] if file.endswith(".json") and is_snapshot_id(file.removesuffix(".json")):
            names = parse_segment(service), parse_segment(index)
            if names[0] is not None and names[1] is not None:
                return SnapshotReference(service=names[0], index=names[1], id=file.removesuffix(".json"))
    return None


def sweep_name(service: str, index: str) -> str:
    """Return the name of the record of the chunks that a sweep is about to remove."""
    return _index_blob("sweeps/", service, index)


def verified_name(service: str, index: str) -> str:
    """Return the name of the record of the slice of chunks that was verified last."""
    return _index_blob("verified/", service, index)


def accepted_name(service: str, index: str) -> str:
    """Return the name of the record of the snapshots that were accepted though no key has signed them."""
    return _index_blob("accepted/", service, index)


def app_name(app: str) -> str:
    """Return the name of the record when an app last looked at this store's runs."""
    return f"apps/{segment_of(app)}.json"


UNCHANGED_PREFIX = "unchanged/"
"""The prefix of the records of all indexes that were found unchanged."""


def unchanged_name(service: str, index: str) -> str:
    """Return the name of the record that an index was as in its newest snapshot when it was looked at again."""
    return _index_blob(UNCHANGED_PREFIX, service, index)


DRILLS_PREFIX = "drills/"
"""The prefix of the results of all drills."""

OPEN_DRILLS_PREFIX = "open-drills/"
"""The prefix of the records of all temporary indexes of drills."""


def drill_name(service: str, index: str) -> str:
    """Return the name of the record of the last drill of this index's snapshots."""
    return _index_blob(DRILLS_PREFIX, service, index)


def open_drill_name(service: str, index: str) -> str:
    """Return the name of the record that this index was made by a drill, and is to be removed."""
    return _index_blob(OPEN_DRILLS_PREFIX, service, index)


GENERATION_DIGITS = 9
"""Digits of a generation in a name, so that names are in the order of generations."""


ROLES_PREFIX = "pairs/"
"""The prefix of the records of all pairs' roles."""


def roles_prefix(pair: str) -> str:
    """Return the prefix of the records which service of a pair is active."""
    return f"{ROLES_PREFIX}{segment_of(pair)}/"


def role_name(pair: str, generation: int) -> str:
    """Return the name of the record which service of a pair is active since a generation."""
    return f"{roles_prefix(pair)}{generation:0{GENERATION_DIGITS}}.json"


def role_generation(name: str) -> int | None:
    """Return the generation of the record of this name, or None if the blob is foreign."""
    digits = name.rpartition("/")[2].removesuffix(".json")
    if len(digits) != GENERATION_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    return int(digits)


def failover_name(pair: str) -> str:
    """Return the name of the state of a pair's last failover to the service whose store this is."""
    return f"failovers/{segment_of(pair)}.json"


def followed_name(service: str, index: str) -> str:
    """Return the name of the record which snapshot an index of a target was proved equal to."""
    return _index_blob("followed/", service, index)


def restored_name(service: str, index: str) -> str:
    """Return the name of the record when a restore last wrote to this index."""
    return _index_blob("restored/", service, index)


def standbys_prefix(pair: str) -> str:
    """Return the prefix of what is known of the indexes of a pair's standby."""
    return f"standbys/{segment_of(pair)}/"


def standby_name(pair: str, service: str, index: str) -> str:
    """Return the name of the record which snapshot an index of a pair's standby equals."""
    return _index_blob(standbys_prefix(pair), service, index)


def drifts_prefix(pair: str) -> str:
    """Return the prefix of the last measured drifts of a pair."""
    return f"drifts/{segment_of(pair)}/"


def drift_name(pair: str, index: str) -> str:
    """Return the name of the record of the last measured drift of an index that both services of a pair have."""
    return f"{drifts_prefix(pair)}{segment_of(index)}.json"


def _index_blob(prefix: str, service: str, index: str) -> str:
    return f"{prefix}{index_prefix(service, index).removesuffix('/')}.json"
