"""Tokens in forms: they prove that a form came from a page of ours, and for exactly what.

A token signs the purpose, the caller, what the form would do and until when it may be sent. Without a record key the
secret is the caller's function key, or one of this process: then a form that another instance gave out is refused, and
has to be opened again.
"""

from datetime import datetime, timedelta

from indexvault.errors import ConflictError
from indexvault.snapshots.record_keys import RecordKeys

VALID = timedelta(minutes=15)
_PURPOSE = "form of the status page"


class Tokens:
    """Makes and checks the tokens of one caller."""

    def __init__(self, keys: RecordKeys, caller: str) -> None:
        self._keys = keys
        self._caller = caller

    def make(self, purpose: str, what: bytes, now: datetime) -> str:
        """Return a token for a purpose and what exactly would be done."""
        until = str(int((now + VALID).timestamp()))
        return f"{until}.{self._keys.sign(_PURPOSE, *self._parts(purpose, what, until))}"

    def require(self, token: str, purpose: str, what: bytes, now: datetime) -> None:
        """Raise ConflictError if a token is not of this caller, purpose and content, or has expired."""
        until, _, signature = token.partition(".")
        is_ours = self._keys.verify(signature, _PURPOSE, *self._parts(purpose, what, until))
        if not is_ours or not until.isdigit() or int(until) < now.timestamp():
            raise ConflictError(
                "the form has expired, or what it says is not what was checked",
                on=f"form: {purpose}",
                do="Go back, open the form again and send it within 15 minutes",
            )

    def _parts(self, purpose: str, what: bytes, until: str) -> tuple[bytes, ...]:
        return purpose.encode(), self._caller.encode(), until.encode("utf-8", "replace"), what
