"""When to try again: the one retry rule."""

from __future__ import annotations

import random

from exporter.errors import PayloadError, TargetBusy, TargetRefused

FIRST_SECONDS = 1.0
CAP_SECONDS = 300.0


def retry_delay(error: BaseException, attempt: int, rng: random.Random) -> float:
    """
    Seconds to wait after the *attempt*-th failure in a row (1-based).

    A delay the server asks for wins; what will not heal in seconds (refused credentials, unreadable payloads) waits
    the cap; the rest doubles from `FIRST_SECONDS` to `CAP_SECONDS`, jittered by half.
    """
    if isinstance(error, TargetBusy) and error.retry_after_seconds is not None:
        return min(error.retry_after_seconds, CAP_SECONDS)
    if isinstance(error, TargetRefused | PayloadError):
        return CAP_SECONDS
    ceiling = min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 30))
    return rng.uniform(ceiling / 2, ceiling)
