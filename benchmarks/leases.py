"""Leases of the benchmarks' blob service. Source: Lease Blob (REST API), 2026-09."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

_FOR_EVER = float("inf")


class LeaseRefusedError(Exception):
    """A lease does not allow what was asked for."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Lease:
    """The lease of one blob; times are those of a monotonic clock, in seconds."""

    id: str | None = None
    duration: float = 0
    ends: float = 0
    broken: bool = False

    def is_active(self, now: float) -> bool:
        """Return whether the lease keeps others from the blob."""
        return self.id is not None and not self.broken and now < self.ends

    def require(self, given: str | None, now: float) -> None:
        """Raise LeaseRefusedError unless the blob may be changed by somebody who gives this lease id."""
        if not self.is_active(now):
            if given is not None:
                raise LeaseRefusedError(412, "LeaseLost" if given == self.id else "LeaseNotPresentWithBlobOperation")
        elif given is None:
            raise LeaseRefusedError(412, "LeaseIdMissing")
        elif given != self.id:
            raise LeaseRefusedError(412, "LeaseIdMismatchWithBlobOperation")

    def shown(self, now: float) -> dict[str, str]:
        """Return the headers that tell a reader of the lease."""
        active = self.is_active(now)
        return {
            "x-ms-lease-status": "locked" if active else "unlocked",
            "x-ms-lease-state": "leased" if active else "broken" if self.broken else "available",
        }

    def change(self, action: str, headers: Mapping[str, str], now: float) -> tuple[int, dict[str, str]]:
        """Carry an action out. Return the answer's status and headers."""
        given = headers.get("x-ms-lease-id")
        match action:
            case "acquire":
                return self._acquire(headers, now)
            case "renew":
                self._require_own(given)
                if self.broken:
                    raise LeaseRefusedError(409, "LeaseIsBrokenAndCannotBeRenewed")
                self.ends = now + self.duration
                return 200, {"x-ms-lease-id": str(self.id)}
            case "release":
                self._require_own(given)
                self.id, self.broken = None, False
                return 200, {}
            case "break":
                if self.id is None:
                    raise LeaseRefusedError(409, "LeaseNotPresentWithLeaseOperation")
                self.broken = True
                return 202, {"x-ms-lease-time": "0"}
        raise LeaseRefusedError(501, "NotImplemented")

    def _acquire(self, headers: Mapping[str, str], now: float) -> tuple[int, dict[str, str]]:
        proposed = headers.get("x-ms-proposed-lease-id") or str(uuid.uuid4())
        if self.is_active(now) and proposed != self.id:
            raise LeaseRefusedError(409, "LeaseAlreadyPresent")
        seconds = float(headers.get("x-ms-lease-duration", "-1"))
        self.duration = seconds if seconds > 0 else _FOR_EVER
        self.id, self.ends, self.broken = proposed, now + self.duration, False
        return 201, {"x-ms-lease-id": proposed}

    def _require_own(self, given: str | None) -> None:
        if self.id is None or given != self.id:
            raise LeaseRefusedError(409, "LeaseIdMismatchWithLeaseOperation")
