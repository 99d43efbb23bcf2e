"""How many requests one caller may make in a minute. Knows no HTTP and not who the caller is."""

import math
import time
from collections.abc import Callable

from service.access_errors import RateLimitedError

__all__ = ["RateLimit"]

MINUTE_S = 60.0
_PRUNE_FROM = 1024
_ROUNDING_S = 1e-6


class RateLimit:
    """A token bucket for each caller: it holds the requests of one minute, and fills evenly.

    Kept as the time at which the bucket will be full again, one number a caller; a full bucket need not be kept.
    Only for the event loop's own thread.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._prune_from = _PRUNE_FROM

    def take(self, caller_id: str) -> None:
        """Count one request.

        Raises:
            RateLimitedError: the bucket is empty; it says when the next request will be let through.
        """
        now = self._clock()
        full_at = max(self._full_at.get(caller_id, now), now) + MINUTE_S / self._per_minute
        too_early_s = full_at - now - MINUTE_S
        if too_early_s > _ROUNDING_S:
            raise RateLimitedError(self._per_minute, math.ceil(too_early_s))
        self._full_at[caller_id] = full_at
        if len(self._full_at) >= self._prune_from:
            self._full_at = {caller: at for caller, at in self._full_at.items() if at > now}
            self._prune_from = max(_PRUNE_FROM, 2 * len(self._full_at))
