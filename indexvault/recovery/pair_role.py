"""Which service of a pair is active, as far as its two stores tell: the highest generation in either.

A store that does not answer in seconds is passed over and named. The other service's region may be gone, so that its
connections hang: nothing here waits for longer.
"""

import asyncio
from collections.abc import Awaitable

import msgspec

from indexvault.clients import Clients
from indexvault.errors import ConflictError, IntegrityError, NotFoundError, RemoteError, TooSlowError
from indexvault.settings.model import PairSettings, Settings
from indexvault.settings.pairs import pair_settings, pair_stores
from indexvault.snapshots.roles import PairRole, copy_role, first_role, last_roles, read_role
from indexvault.snapshots.run_names import roles_prefix
from indexvault.snapshots.store import StoreReader

ANSWER_SECONDS = 5.0
"""How long a store or service may take before it is passed over, with all its retries."""


class SeenRole(msgspec.Struct, frozen=True):
    """The role of the highest generation that could be read, and the stores that could not be read."""

    role: PairRole
    unread: tuple[str, ...] = ()


async def pair_role(clients: Clients, name: str, *, seconds: float = ANSWER_SECONDS) -> SeenRole:
    """Return which service of a pair is active. Reads both of its stores at once.

    Raises NotFoundError for an unknown pair, RemoteError if neither store answers, IntegrityError for a record that is
    damaged or forged, or if the stores have different records of a generation, and ConflictError if the role names a
    service that is not in the pair.
    """
    settings = clients.settings
    pair = pair_settings(settings, name)
    stores = pair_stores(settings, pair)
    found = await asyncio.gather(*(_role_in(clients, store, name, seconds) for store in stores))
    roles = {store: role for store, role in zip(stores, found, strict=True) if not isinstance(role, RemoteError)}
    unread = tuple(store for store in stores if store not in roles)
    if not roles:
        raise next(each for each in found if isinstance(each, RemoteError))
    known = [role for role in roles.values() if role is not None]
    newest = max(known, key=lambda role: role.generation, default=first_role(name, pair.primary))
    if any(role.generation == newest.generation and role != newest for role in known):
        raise IntegrityError(
            f"stores {' and '.join(stores)} have different records of generation {newest.generation}",
            on=f"pair {name}",
            do="See which service is in use, then delete the other record",
        )
    require_member(settings, pair, newest)
    return SeenRole(newest, unread)


async def role_in_own_store(clients: Clients, name: str, service: str) -> PairRole:
    """Return the role of a pair as the store of one of its services has it: what fences every write to that service.

    Raises what `pair_role` does; RemoteError if that store does not answer.
    """
    pair = pair_settings(clients.settings, name)
    store = clients.settings.services[service].store
    found = await _role_in(clients, store, name, ANSWER_SECONDS)
    if isinstance(found, RemoteError):
        raise found
    role = found or first_role(name, pair.primary)
    require_member(clients.settings, pair, role)
    return role


async def spread_role(clients: Clients, name: str, role: PairRole) -> list[str]:
    """Copy a role to the stores of its pair that lack it, and return the stores that it was copied to.

    A store that does not answer is left for another time. Raises IntegrityError and ConflictError as `copy_role` does.
    """
    copied: list[str] = []
    if role.generation == 0:
        return copied
    for store in pair_stores(clients.settings, pair_settings(clients.settings, name)):
        try:
            if await in_time(_copied(clients, store, role), on=f"store {store}"):
                copied.append(store)
        except RemoteError:
            continue
    return copied


def require_member(settings: Settings, pair: PairSettings, role: PairRole) -> None:
    """Raise ConflictError unless the active service of a role can be one of its pair's."""
    if _may_be_active(settings, pair, role.active):
        return
    raise ConflictError(
        f"{role.active} is active since generation {role.generation}, and is not in the pair by these settings",
        on=f"pair {role.pair}",
        do=f"Name {role.active} in the pair, or give the pair another name",
    )


async def in_time[Answer](asking: Awaitable[Answer], *, on: str, seconds: float = ANSWER_SECONDS) -> Answer:
    """Return an answer that comes within some seconds, with all its retries. Raises TooSlowError otherwise."""
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except TimeoutError:
        raise TooSlowError(f"no answer within {seconds:g} s", on=on, do="See whether its region is up") from None


async def _role_in(clients: Clients, store: str, pair: str, seconds: float) -> PairRole | RemoteError | None:
    try:
        return await in_time(_read(clients, store, pair), on=f"store {store}", seconds=seconds)
    except RemoteError as error:
        return error


async def _read(clients: Clients, store: str, pair: str) -> PairRole | None:
    opened = clients.store(store)
    try:
        role = await read_role(opened.runs, pair)
        if role is None:
            await _require_first(clients.settings, opened, pair)
    except NotFoundError:  # nothing was ever kept in it
        return None
    return role


async def _require_first(settings: Settings, store: StoreReader, name: str) -> None:
    """Raise ConflictError if another pair, which the settings don't name, has made a service of this one active.

    Without that, a pair that gets another name would be as before its first swap: the service that took over would be
    the standby, and be overwritten.
    """
    pair = pair_settings(settings, name)
    for role in await last_roles(store.runs):
        is_gone, is_as_first = role.pair not in settings.pairs, role.active == pair.primary and role.following
        if is_gone and not is_as_first and _may_be_active(settings, pair, role.active):
            raise ConflictError(
                f"{role.active} became active in pair {role.pair}, which is in the settings no more",
                on=f"pair {name}",
                do=f"Name the pair {role.pair} again; if that pair is over, delete its records,"
                f" {roles_prefix(role.pair)}, from the runs of store {store.name}",
            )


def _may_be_active(settings: Settings, pair: PairSettings, service: str) -> bool:
    return service in {pair.primary, pair.standby} or (pair.standby is None and service in settings.services)


async def _copied(clients: Clients, store: str, role: PairRole) -> bool:
    opened = clients.store(store)
    await opened.prepare()
    return await copy_role(opened.runs, role)
