"""Who is informed of each request."""

from __future__ import annotations

from typing import Protocol


class RequestObserver(Protocol):
    """Hears of every request that goes to a server: what we cost it."""

    def request_finished(self, *, endpoint: str, status: str, seconds: float, response_bytes: int) -> None:
        """
        One request ended.

        ``endpoint`` is from the closed set of the allow-list (never a raw path); ``status`` is the HTTP status
        (``200``), or ``timeout``, ``tls``, ``unreachable``, ``cut`` or ``too_large``
        where there was none or no whole body.
        """
