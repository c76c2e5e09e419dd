"""The retry rule."""

from __future__ import annotations

import random

from exporter.errors import TargetBusy, TargetRefused

FIRST_SECONDS = 1.0
CAP_SECONDS = 300.0


def retry_delay(error: BaseException, attempt: int, rng: random.Random, *, cap_seconds: float = CAP_SECONDS) -> float:
    """
    Return the seconds to wait after the *attempt*-th failure in a row (1-based).

    A delay requested by the server takes precedence, up to `CAP_SECONDS`, and refused credentials wait `CAP_SECONDS`.
    Everything else, including a busy server that requests no delay (``Retry-After: 0``), doubles from `FIRST_SECONDS`
    to *cap_seconds*, jittered by half. A poller passes one and a half intervals as its cap, so that it succeeds within
    two intervals of the end of a fault, however long that lasted.
    """
    if isinstance(error, TargetBusy) and error.retry_after_seconds:
        return min(error.retry_after_seconds, CAP_SECONDS)
    if isinstance(error, TargetRefused):
        return CAP_SECONDS
    ceiling = min(CAP_SECONDS, cap_seconds, FIRST_SECONDS * 2.0 ** min(attempt - 1, 30))
    return rng.uniform(ceiling / 2, ceiling)
