"""The keys that records and manifests are signed with, which no store holds.

A signature is an HMAC-SHA256 (RFC 2104) over a purpose and parts, each preceded by its length, so that no two lists of
parts are the same bytes. It is written with the id of its key, so that keys can be rotated: the first key signs, and
all verify.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

from indexvault.errors import SettingsError

MAKE_A_KEY = "Make one with `openssl rand -hex 32`"
SHORTEST_KEY = 43
"""Characters of the shortest key: 32 random bytes in base64 without padding. In hexadecimal they take 64."""

_FEWEST_DIFFERENT = 10
"""A random key of this length in hexadecimal has fewer different characters once in millions."""
_KEY = re.compile(r"[A-Za-z0-9+/_=-]+")
_SIGNATURE = re.compile(r"(?P<key>[0-9a-f]{8})-(?P<digest>[0-9a-f]{64})")


class RecordKeys:
    """The keys, the one that signs first. Without any key, nothing is signed and nothing verifies."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = {_id_of(key): key.encode() for key in reversed(keys)}
        self._first = _id_of(keys[0]) if keys else ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, which are no secret; the one that signs comes first."""
        return tuple(reversed(self._keys))

    def __bool__(self) -> bool:
        """Return whether there is a key."""
        return bool(self._keys)

    def sign(self, purpose: str, *parts: bytes | memoryview) -> str:
        """Return the signature of parts for a purpose: the key's id, a hyphen, 64 hex digits."""
        return f"{self._first}-{_digest(self._keys[self._first], purpose, parts)}"

    def verify(self, signature: str, purpose: str, *parts: bytes | memoryview) -> bool:
        """Return whether one of the keys has made this signature of these parts for this purpose."""
        found = _SIGNATURE.fullmatch(signature)
        key = self._keys.get(found["key"]) if found is not None else None
        if found is None or key is None:
            return False
        return hmac.compare_digest(found["digest"], _digest(key, purpose, parts))


NO_KEYS = RecordKeys()


def read_record_keys(text: str, on: str) -> RecordKeys:
    """Return the keys in a text, separated by commas or blanks.

    Raises SettingsError, which never quotes one, for a key that is too short or no random text.
    """
    keys = [key for key in re.split(r"[,\s]+", text) if key]
    for position, key in enumerate(keys, start=1):
        which = "the key" if len(keys) == 1 else f"key {position} of {len(keys)}"
        if not _KEY.fullmatch(key):
            raise SettingsError(f"{which} is neither hexadecimal nor base64", on=on, do=MAKE_A_KEY)
        if len(key) < SHORTEST_KEY:
            raise SettingsError(
                f"{which} has {len(key)} characters, and {SHORTEST_KEY} is the least", on=on, do=MAKE_A_KEY
            )
        if len(set(key)) < _FEWEST_DIFFERENT:
            raise SettingsError(f"{which} is not random: it has {len(set(key))} characters", on=on, do=MAKE_A_KEY)
    if not keys:
        raise SettingsError("it holds no key", on=on, do=MAKE_A_KEY)
    return RecordKeys(keys)


def _digest(key: bytes, purpose: str, parts: Sequence[bytes | memoryview]) -> str:
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in (purpose.encode(), *parts):
        mac.update(len(part).to_bytes(8))
        mac.update(part)
    return mac.hexdigest()


def _id_of(key: str) -> str:
    """Return a key's id, which tells nothing about it."""
    return _digest(key.encode(), "key id", ())[:8]
