"""How often to retry a request, and how long to wait before."""

import random

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True):
    """Limits for retrying one request. Times are in seconds."""

    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 120.0

    def wait(self, failures: int, retry_after: float | None, rng: random.Random) -> float:
        """Return the seconds to wait after the given number of failures (1 or more).

        At least the service's Retry-After, up to a limit. On top comes jitter below a bound that doubles with each
        failure, so that many callers don't come back together.
        """
        bound = min(self.longest_wait, self.first_wait * 2 ** (failures - 1))
        jitter = rng.uniform(0, bound)
        if retry_after is None:
            return jitter
        return min(retry_after, self.longest_retry_after) + jitter / 4
