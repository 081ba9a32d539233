"""Names and types that every room shares."""

from collections.abc import Callable
from datetime import datetime

import msgspec

type Clock = Callable[[], datetime]
"""Returns the time, aware and in UTC."""


class IndexName(msgspec.Struct, frozen=True):
    """An index of a configured service."""

    service: str
    index: str

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.service}/{self.index}"
