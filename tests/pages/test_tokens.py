"""Tokens: good for one caller, purpose and content, and for a while."""

from datetime import UTC, datetime, timedelta

import pytest

from indexvault.errors import ConflictError
from indexvault.pages.tokens import VALID, Tokens
from indexvault.snapshots.record_keys import RecordKeys

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
KEYS = RecordKeys(["one secret"])


def test_a_token_is_good_for_what_it_was_made_for() -> None:
    token = Tokens(KEYS, "me").make("restore", b"hotels", NOW)
    Tokens(KEYS, "me").require(token, "restore", b"hotels", NOW + VALID - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("keys", "caller", "purpose", "what", "later"),
    [
        (RecordKeys(["another secret"]), "me", "restore", b"hotels", timedelta(0)),
        (KEYS, "you", "restore", b"hotels", timedelta(0)),
        (KEYS, "me", "cancel", b"hotels", timedelta(0)),
        (KEYS, "me", "restore", b"guests", timedelta(0)),
        (KEYS, "me", "restore", b"hotels", VALID + timedelta(seconds=1)),
    ],
)
def test_and_for_nothing_else(keys: RecordKeys, caller: str, purpose: str, what: bytes, later: timedelta) -> None:
    token = Tokens(KEYS, "me").make("restore", b"hotels", NOW)
    with pytest.raises(ConflictError, match="has expired"):
        Tokens(keys, caller).require(token, purpose, what, NOW + later)


@pytest.mark.parametrize("token", ["", ".", "x", "99999999999.x", "\u00b2.y", "1e9.z", "\udcff.a"])
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(ConflictError):
        Tokens(KEYS, "me").require(token, "restore", b"hotels", NOW)


def test_the_time_in_a_token_is_signed() -> None:
    token = Tokens(KEYS, "me").make("restore", b"hotels", NOW)
    until, _, signature = token.partition(".")
    with pytest.raises(ConflictError):
        Tokens(KEYS, "me").require(f"{int(until) + 9999}.{signature}", "restore", b"hotels", NOW)
