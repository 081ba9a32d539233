"""Check what a failover needs besides content: roles, keys, secrets, data sources, and backups afterwards. Pure."""

from collections.abc import Iterator

from indexvault.printable import count
from indexvault.readiness.facts import PairFacts, SideFacts
from indexvault.readiness.places import sides_of
from indexvault.readiness.report import ReadinessCheck, finding, some

_OVERLAY = "Supply them in the overlay of the pair; see docs/restore.md"


def takeover_checks(facts: PairFacts) -> Iterator[ReadinessCheck]:
    """Yield the checks of what a failover and what follows it need."""
    subject = f"pair {facts.pair}"
    yield _role(facts, subject)
    yield _record_key(facts)
    for side in sides_of(facts):
        yield _store(side.store, side.store_unread)
    if facts.other is None:
        yield _store(facts.copies, facts.copies_unread)
    for side in sides_of(facts):
        yield _rights(side, is_active=side is facts.active)
    yield _secrets(facts, subject)
    yield _data_sources(facts, subject)
    yield _backups(facts)


def _role(facts: PairFacts, subject: str) -> ReadinessCheck:
    if facts.role_failure:
        return finding(
            "role",
            subject,
            "bad",
            f"which service is active is not known: {facts.role_failure}",
            "Mend this first: all other checks take the primary for active",
        )
    if facts.role_unread:
        return finding(
            "role",
            subject,
            "warning",
            f"taken from one store, since the other could not be read: {facts.role_unread}",
            "Check the store; a service that comes back must not be believed before its record was copied there",
        )
    if not facts.is_following:
        return finding(
            "role",
            subject,
            "bad",
            f"since an unplanned failover to {facts.active.service}, nothing follows it: there is no standby",
            "Compare the two, then `indexvault failback`, or follow again; see docs/failover.md",
        )
    return finding("role", subject, "good", f"{facts.active.service} is active")


def _record_key(facts: PairFacts) -> ReadinessCheck:
    if facts.has_record_key:
        return finding("record key", "settings", "good", "one key signs the records of both stores", source="settings")
    return finding(
        "record key",
        "settings",
        "warning",
        "none, so whoever can write to one of the stores can swap the roles of the pair",
        "Set record_key; see docs/security.md",
        source="settings",
    )


def _store(name: str, unread: str) -> ReadinessCheck:
    subject = f"store {name}"
    if unread:
        return finding("store", subject, "bad", unread, "Check the store and the roles: `indexvault check`")
    return finding("store", subject, "good", "it can be read")


def _rights(side: SideFacts, *, is_active: bool) -> ReadinessCheck:
    subject = f"service {side.service}"
    if side.may_write is None:
        return finding("restore to it", subject, "unknown", f"not tried: {side.unread or 'it did not answer'}")
    if side.may_write:
        return finding("restore to it", subject, "good", "keys or roles suffice")
    return finding(
        "restore to it",
        subject,
        "warning" if is_active else "bad",
        "keys or roles don't suffice" + (", so there is no failback" if is_active else ", so a failover would stop"),
        "Give the identity Search Service Contributor and Search Index Data Contributor there",
    )


def _secrets(facts: PairFacts, subject: str) -> ReadinessCheck:
    if facts.needs is None:
        return finding(
            "secrets", subject, "unknown", f"the definitions of {facts.active.service} could not be read", _OVERLAY
        )
    lacking = [each for each in facts.needs if each.lacks]
    absent = [f"{each.kind}/{each.name}: {each.lacks[0]}" for each in lacking if each.is_there is not True]
    there = [f"{each.kind}/{each.name}" for each in lacking if each.is_there is True]
    source = f"overlay {facts.overlay}" if facts.overlay is not None else "the pair names no overlay"
    if absent:
        said = f"{source}: {len(absent)} would be left out of a failover for want of secrets: {some(absent)}"
        return finding("secrets", subject, "bad", said, _OVERLAY)
    if there:
        said = f"{source}: whether {some(there)} of the standby have the right secrets can't be seen"
        return finding("secrets", subject, "warning", said, _OVERLAY)
    if not facts.needs:
        return finding("secrets", subject, "good", "no definition needs one")
    return finding("secrets", subject, "good", f"{source} has those of {count(len(facts.needs), 'definition')}")


def _data_sources(facts: PairFacts, subject: str) -> ReadinessCheck:
    if facts.data_sources is None:
        return finding("data sources", subject, "unknown", f"those of {facts.active.service} could not be read")
    if not facts.data_sources:
        return finding("data sources", subject, "good", "there are none")
    left = sorted(set(facts.data_sources) - set(facts.geo_redundant))
    if left:
        return finding(
            "data sources",
            subject,
            "warning",
            f"{some(left)}: nobody has declared that the data is in both regions",
            "See that it is, then name them in geo_redundant of the pair",
            source="settings",
        )
    return finding(
        "data sources",
        subject,
        "good",
        f"declared to be in both regions: {some(facts.data_sources)}",
        source="settings",
    )


def _backups(facts: PairFacts) -> ReadinessCheck:
    subject, other = f"pair {facts.pair}", facts.other
    if other is None:
        return finding(
            "backups after failover",
            subject,
            "unknown",
            "the standby is made at failover",
            "Have a policy ready for it",
            source="settings",
        )
    left = sorted(each.facts.index for each in facts.indexes if not each.covered_after)
    if left or not facts.indexes:
        return finding(
            "backups after failover",
            f"service {other.service}",
            "bad" if left else "unknown",
            f"no policy would back up {some(left)} there" if left else "there is no index to look for",
            f"Add a policy of service {other.service}; it runs only while the service is active",
            source="settings",
        )
    return finding(
        "backups after failover", f"service {other.service}", "good", "a policy backs it up there", source="settings"
    )
