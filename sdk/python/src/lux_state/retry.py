"""When to try again.

Always true: no two clients are told the same moment (full jitter); what the broker asks for in `Retry-After` is kept.

Read first: nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

FIRST_S = 0.5  # what a first delay is drawn from, from 0 on; it doubles …
MAX_S = 30.0  # … to this
RESTART_SPREAD_S = 3.0  # viewers of a restarting broker come back spread over this
LASTED_S = 10.0  # a stream that was up for so long starts with short delays again
PASSING = frozenset({408, 429, 502, 503, 504})  # the same request may succeed later

Chance = Callable[[], float]


class Backoff:
    """Delays with full jitter: each is drawn evenly from nothing to a bound that doubles."""

    def __init__(self, chance: Chance = random.random) -> None:
        self._chance = chance
        self._tries = 0

    def next(self, retry_after: float | None = None) -> float:
        """Seconds until the next try; not before `retry_after`, and spread a little behind it."""
        bound = min(MAX_S, FIRST_S * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return (retry_after or 0.0) + self._chance() * bound

    def restarting(self) -> float:
        """The same where a broker said that it restarts."""
        return self._chance() * RESTART_SPREAD_S

    def reset(self) -> None:
        self._tries = 0


def retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3) in seconds from now: a number, or a date. None if it is neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    zoned = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return max(0.0, (zoned - (now or datetime.now(timezone.utc))).total_seconds())
