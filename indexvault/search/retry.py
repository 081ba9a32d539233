"""How often and how long to wait before a request is sent again."""

import random

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True):
    """Limits of retrying one request; times in seconds."""

    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 120.0

    def wait(self, failures: int, retry_after: float | None, rng: random.Random) -> float:
        """Return the seconds to wait after the given number of failures (1 or more).

        The service's own Retry-After is the least, up to a limit. What comes on top is drawn evenly up to the
        doubling bound, so that many callers don't come back together.
        """
        bound = min(self.longest_wait, self.first_wait * 2 ** (failures - 1))
        jitter = rng.uniform(0, bound)
        if retry_after is None:
            return jitter
        return min(retry_after, self.longest_retry_after) + jitter / 4
