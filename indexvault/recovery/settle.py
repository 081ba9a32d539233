"""Tell documents that differ from those that were only read at two moments.

Two services are never read at the same instant, and what is written to both arrives at different times. So documents
that deviate are looked up again on both sides, after a pause: what is the same by then is no drift, what has not
changed on either side between two look-ups is, and what keeps changing is `moving`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from itertools import batched

import msgspec

from indexvault.recovery.drift import Deviating, Kind
from indexvault.recovery.sides import Side

ROUNDS = 4
"""How often a deviating document is looked up at most."""
_AT_ONCE = 100
"""Documents of both sides that are held at once."""

type IsSame = Callable[[bytes, bytes], bool]
"""Whether a document of the first side has the values of one of the second."""


class _Seen(msgspec.Struct, frozen=True):
    """What a look-up found: how the document deviates, and hashes of both sides' bytes."""

    kind: Kind
    one: bytes
    other: bytes


async def settled(
    keys: Sequence[str],
    one: Side,
    other: Side,
    is_same: IsSame,
    *,
    wait: Callable[[], Awaitable[bool]],
    rounds: int = ROUNDS,
) -> list[Deviating]:
    """Return those of some documents that deviate indeed, in the order of their keys.

    `wait` rests between look-ups and returns False once there is no time left for another. Without a writer on either
    side, two look-ups settle everything.
    """
    found: dict[str, Deviating] = {}
    before: Mapping[str, _Seen] = {}
    pending = list(keys)
    for number in range(rounds):
        if number and not await wait():
            break
        seen = await _look_up(pending, one, other, is_same)
        for key, what in seen.items():
            if before.get(key) == what or not (one.moves or other.moves):
                found[key] = Deviating(key, what.kind)
        before = {key: what for key, what in seen.items() if key not in found}
        pending = list(before)
        if not pending:
            break
    for key, what in before.items():
        found[key] = Deviating(key, what.kind, moving=True)
    return [found[key] for key in sorted(found)]


async def _look_up(keys: Sequence[str], one: Side, other: Side, is_same: IsSame) -> dict[str, _Seen]:
    """Return what deviates among some documents at present."""
    seen: dict[str, _Seen] = {}
    for some in batched(keys, _AT_ONCE, strict=False):
        here, there = await one.find(some), await other.find(some)
        for key in some:
            kind = deviation(here.get(key), there.get(key), is_same)
            if kind is not None:
                seen[key] = _Seen(kind, _hash(here.get(key)), _hash(there.get(key)))
    return seen


def deviation(here: bytes | None, there: bytes | None, is_same: IsSame) -> Kind | None:
    """Return how a document deviates, given what both sides have under its key; None if it does not."""
    if here is None:
        return None if there is None else "extra"
    if there is None:
        return "missing"
    return None if is_same(here, there) else "different"


def _hash(line: bytes | None) -> bytes:
    return b"" if line is None else sha256(line).digest()
