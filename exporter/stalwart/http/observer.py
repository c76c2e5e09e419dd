"""The interface that records each request."""

from __future__ import annotations

from typing import Protocol


class RequestObserver(Protocol):
    """Records every request to a server, for the exporter's own metrics."""

    def request_finished(self, *, endpoint: str, status: str, seconds: float, response_bytes: int) -> None:
        """
        Record the end of a request.

        *endpoint* is a label from the allow-list, never a raw path. *status* is the HTTP status (``200``), or
        ``timeout``, ``tls``, ``unreachable``, ``cut`` or ``too_large`` if there was no complete response.
        """
