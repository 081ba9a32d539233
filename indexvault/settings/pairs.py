"""Find pairs in the settings, and check them: two services in two regions, and what keeps the standby new enough.

The standby of a pair is fed by the policies of its primary that copy their snapshots to the store in its region.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from indexvault.errors import NotFoundError, SettingsError
from indexvault.settings.coverage import coverage
from indexvault.settings.model import PairSettings, PolicySettings, Settings
from indexvault.settings.patterns import check_patterns
from indexvault.settings.schedule import SHORTEST, Schedule, longest_interval, shortest_interval
from indexvault.suggestions import suggestion

_CORRECT = "Correct the settings"
_LEAST = timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def pair_settings(settings: Settings, name: str) -> PairSettings:
    """Return a pair by its name. Raises NotFoundError naming the known pairs."""
    if name not in settings.pairs:
        raise NotFoundError(
            "no pair of this name is configured",
            on=f"pair {name}",
            do=f"Known pairs: {', '.join(sorted(settings.pairs)) or 'none'}{suggestion(name, settings.pairs)}",
        )
    return settings.pairs[name]


def pair_of(settings: Settings, service: str) -> tuple[str, PairSettings] | None:
    """Return the pair that a service is in, with its name, or None."""
    return next(
        ((name, pair) for name, pair in settings.pairs.items() if service in (pair.primary, pair.standby)), None
    )


def standby_store(settings: Settings, pair: PairSettings) -> str:
    """Return the store in the region of a pair's standby."""
    if pair.store is not None:
        return pair.store
    assert pair.standby is not None  # noqa: S101 - reading the settings has seen to it
    return settings.services[pair.standby].store


def pair_stores(settings: Settings, pair: PairSettings) -> tuple[str, str]:
    """Return the stores that hold a pair's records: the primary's, and the one in the region of its standby."""
    return settings.services[pair.primary].store, standby_store(settings, pair)


def feeding_policies(settings: Settings, pair: PairSettings) -> dict[str, PolicySettings]:
    """Return the policies whose snapshots the standby of a pair is restored from, by name."""
    store = standby_store(settings, pair)
    return {
        name: policy
        for name, policy in _backing_policies(settings, pair).items()
        if store in policy.replicate_to and any(_fed(policy, pair, entry) != "none" for entry in _entries(pair))
    }


def policies_of(settings: Settings, pair: PairSettings, service: str) -> list[str]:
    """Return the policies that back indexes of a pair up on one of its services."""
    return [
        name
        for name, policy in settings.policies.items()
        if policy.service == service and any(_fed(policy, pair, entry) != "none" for entry in _entries(pair))
    ]


def beyond_pair(settings: Settings, name: str, resting: Collection[str]) -> tuple[str, ...]:
    """Return the patterns of a policy without the indexes of its service's pair, which rest with it.

    None if nothing is left, or if policies that do not rest have all that is left.
    """
    policy = settings.policies[name]
    found = pair_of(settings, policy.service)
    if found is None:
        return policy.indexes
    _pair, pair = found
    again = [each[1:] for each in pair.indexes if each.startswith("!") and coverage(policy.indexes, each[1:]) == "all"]
    patterns = (*policy.indexes, *(f"!{entry}" for entry in _entries(pair)), *again)
    others = [
        each.indexes
        for other, each in settings.policies.items()
        if other not in resting and each.service == policy.service
    ]
    for position, entry in enumerate(patterns):
        rest = patterns[position + 1 :]
        later = [each for each in rest if not each.startswith("!")]
        is_left = not entry.startswith("!") and coverage((entry, *rest), entry, apart_from=later) != "none"
        if is_left and not any(coverage(each, entry) == "all" for each in others):
            return patterns
    return ()


def check_pairs(settings: Settings) -> None:
    """Raise SettingsError for a pair that could not keep what it says, or names what is not there."""
    taken: dict[str, str] = {}
    for name, pair in settings.pairs.items():
        path = f"settings $.pairs.{name}"
        _check_services(settings, pair, path)
        for member, service in (("primary", pair.primary), ("standby", pair.standby)):
            if service is not None and taken.setdefault(service, name) != name:
                raise SettingsError(
                    f"{service} is in pair {taken[service]} already, and a service is in one pair at most",
                    on=f"{path}.{member}",
                    do=f"Name another service, or add its indexes to pair {taken[service]}",
                )
        _check_regions(settings, pair, path)
        check_patterns(pair.indexes, on=f"{path}.indexes")
        _check_names(settings, pair, path)
        _check_times(pair, path)
        _check_drift(pair, path)
        if pair.modes != {"hot-hot"}:
            _check_feed(settings, pair, path)


def _check_services(settings: Settings, pair: PairSettings, path: str) -> None:
    for member, service in (("primary", pair.primary), ("standby", pair.standby)):
        if service is not None and service not in settings.services:
            raise _unknown("service", service, settings.services, f"{path}.{member}")
    if pair.primary == pair.standby:
        raise SettingsError("expected another service than the primary", on=f"{path}.standby", do=_CORRECT)
    warmer = sorted(pair.modes - {"hot-cold"})
    if pair.standby is None and warmer:
        raise SettingsError(
            f"expected a service: {warmer[0]} needs a standby",
            on=f"{path}.standby",
            do='Name the standby, or set every mode to "hot-cold"',
        )
    if pair.store is not None and pair.store not in settings.stores:
        raise _unknown("store", pair.store, settings.stores, f"{path}.store")
    if pair.standby is None and pair.store is None:
        raise SettingsError(
            "expected a store: without a standby, nothing says where its snapshots are",
            on=f"{path}.store",
            do="Name the store in the region that a failover will restore to",
        )
    if pair.standby is not None and pair.store not in {None, settings.services[pair.standby].store}:
        raise SettingsError(
            f"expected the standby's own store, {settings.services[pair.standby].store}",
            on=f"{path}.store",
            do="Leave store out, or give the service that store",
        )


def _check_regions(settings: Settings, pair: PairSettings, path: str) -> None:
    home, store = settings.services[pair.primary].region, standby_store(settings, pair)
    there = settings.stores[store].region if pair.standby is None else settings.services[pair.standby].region
    member = "store" if pair.standby is None else "standby"
    if home == there:
        raise SettingsError(
            f"expected another region than the primary's, {home}: what fails there fails for both",
            on=f"{path}.{member}",
            do="Name a service and a store of another region" if pair.standby else "Name a store of another region",
        )
    if settings.services[pair.primary].store == store:
        raise SettingsError(
            f"expected another store than the primary's, {store}: a failover could not read it",
            on=f"{path}.{member}",
            do=f"Give the standby a store in {there}",
        )
    if not (pair.allow_cross_region or settings.allow_cross_region):
        raise SettingsError(
            f"its documents would go from {home} to {there}, which is not allowed",
            on=path,
            do='Set "allow_cross_region": true in the pair if they may leave their region',
        )


def _check_names(settings: Settings, pair: PairSettings, path: str) -> None:
    if pair.overlay is not None and pair.overlay not in settings.overlays:
        raise _unknown("overlay", pair.overlay, settings.overlays, f"{path}.overlay")
    for position, source in enumerate(pair.geo_redundant):
        if not source or not source.isprintable():
            raise SettingsError(
                "expected the name of a data source", on=f"{path}.geo_redundant[{position}]", do=_CORRECT
            )


def _check_times(pair: PairSettings, path: str) -> None:
    for member, least in (("recovery_point", "PT1H"), ("recovery_time", "PT30M")):
        if getattr(pair, member) < _LEAST:
            raise SettingsError(f"expected a minute or more, such as {least}", on=f"{path}.{member}", do=_CORRECT)


def _check_drift(pair: PairSettings, path: str) -> None:
    """Check when drift is measured, and whom repairs believe: members of hot-hot pairs only."""
    if pair.mode != "hot-hot":
        for member in ("drift_schedule", "authority"):
            if getattr(pair, member) is not None:
                raise SettingsError(
                    f'expected it in pairs of mode "hot-hot" only, and this one is "{pair.mode}"',
                    on=f"{path}.{member}",
                    do=f"Leave {member} out",
                )
        return
    if pair.authority not in {None, pair.primary, pair.standby}:
        raise SettingsError(
            f"expected one of the two services, {pair.primary} or {pair.standby}", on=f"{path}.authority", do=_CORRECT
        )
    if pair.drift_schedule is None:
        raise SettingsError(
            "expected a schedule: nothing else tells what differs between the two",
            on=f"{path}.drift_schedule",
            do='Set it to "0 0 * * * *" to compare them every hour',
        )
    Schedule(pair.drift_schedule, on=f"{path}.drift_schedule")
    if shortest_interval(pair.drift_schedule) < SHORTEST:
        raise SettingsError(
            "expected a minute or more between two times", on=f"{path}.drift_schedule", do='Write "0 * * * * *"'
        )
    longest = longest_interval(pair.drift_schedule)
    if pair.recovery_point < longest:
        raise SettingsError(
            f"it is shorter than {_in_words(longest)}, the longest time between two measurements of drift",
            on=f"{path}.recovery_point",
            do="Measure drift more often, or allow more to be lost",
        )


def _check_feed(settings: Settings, pair: PairSettings, path: str) -> None:
    """Check that snapshots of all that the pair has reach the standby's region, and as often as the pair promises."""
    backing = _backing_policies(settings, pair)
    store = standby_store(settings, pair)
    for entry in _entries(pair):
        covering = {name: fed for name, policy in backing.items() if (fed := _fed(policy, pair, entry)) != "none"}
        if not covering:
            raise SettingsError(
                f"no policy backs {entry!r} of {pair.primary} up",
                on=f"{path}.indexes[{pair.indexes.index(entry)}]",
                do=f"Add a policy of {pair.primary} that does, with {store} in its replicate_to",
            )
        copied = {name: fed for name, fed in covering.items() if store in backing[name].replicate_to}
        if not copied:
            names = _named(covering)
            raise SettingsError(
                f"no snapshot of {entry!r} reaches store {store}: {names} has no such copy made",
                on=f"{path}.indexes[{pair.indexes.index(entry)}]",
                do=f"Add {store} to replicate_to of {names}",
            )
        intervals = {name: longest_interval(backing[name].schedule) for name in copied}
        # Any one policy that has all of it is enough. What several share may be in each of them alone.
        whole = [name for name, fed in copied.items() if fed == "all"]
        slowest = min(whole, key=intervals.__getitem__) if whole else max(copied, key=intervals.__getitem__)
        if pair.recovery_point < intervals[slowest]:
            raise SettingsError(
                f"it is shorter than {_in_words(intervals[slowest])}, the longest time between two backups of"
                f" policy {slowest}, which feeds the standby",
                on=f"{path}.recovery_point",
                do=f"Back up more often with policy {slowest}, or allow more to be lost",
            )


def _backing_policies(settings: Settings, pair: PairSettings) -> dict[str, PolicySettings]:
    return {name: policy for name, policy in settings.policies.items() if policy.service == pair.primary}


def _entries(pair: PairSettings) -> list[str]:
    """Return the entries that bring indexes into a pair, and that nothing after them leaves out."""
    return [
        entry
        for position, entry in enumerate(pair.indexes)
        if not entry.startswith("!") and coverage((entry, *pair.indexes[position + 1 :]), entry) != "none"
    ]


def _fed(policy: PolicySettings, pair: PairSettings, entry: str) -> str:
    left_out = [each.removeprefix("!") for each in pair.indexes if each.startswith("!")]
    return coverage(policy.indexes, entry, apart_from=left_out)


def _named(policies: Iterable[str]) -> str:
    names = sorted(policies)
    return f"policy {names[0]}" if len(names) == 1 else f"policies {', '.join(names)}"


def _in_words(length: timedelta) -> str:
    """Return a length of time in whole days, hours or minutes, whichever it is a multiple of."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_LEAST, "minute")):
        if length >= unit and length % unit == timedelta():
            count = length // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return str(length)


def _unknown(what: str, name: str, known: Mapping[str, object], path: str) -> SettingsError:
    return SettingsError(
        f"no {what} is named {name!r} ({what}s: {', '.join(sorted(known)) or 'none'})",
        on=path,
        do=f"{_CORRECT}{suggestion(name, known)}",
    )
