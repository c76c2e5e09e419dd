"""When to try again: the one retry rule."""

from __future__ import annotations

import random

from exporter.errors import TargetBusy, TargetRefused

FIRST_SECONDS = 1.0
CAP_SECONDS = 300.0


def retry_delay(error: BaseException, attempt: int, rng: random.Random, *, cap_seconds: float = CAP_SECONDS) -> float:
    """
    Seconds to wait after the *attempt*-th failure in a row (1-based).

    A delay the server asks for wins, and refused credentials wait `CAP_SECONDS`; the rest doubles from `FIRST_SECONDS`
    to *cap_seconds*, jittered by half, and so does a busy server that asks for no delay (``Retry-After: 0``). What is
    read every so often passes one and a half intervals as its cap: however long a fault has lasted, the first good
    answer then comes within two intervals of its end.
    """
    if isinstance(error, TargetBusy) and error.retry_after_seconds:
        return min(error.retry_after_seconds, CAP_SECONDS)
    if isinstance(error, TargetRefused):
        return CAP_SECONDS
    ceiling = min(CAP_SECONDS, cap_seconds, FIRST_SECONDS * 2.0 ** min(attempt - 1, 30))
    return rng.uniform(ceiling / 2, ceiling)
