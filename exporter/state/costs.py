"""The cost of watching a server: requests, time and bytes."""

from __future__ import annotations

from exporter.state.distribution import Observations

REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ApiCosts:
    """Requests, time and bytes by endpoint; the client reports each request."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], int] = {}
        self.durations: dict[str, Observations] = {}
        self.response_bytes: dict[str, int] = {}

    def request_finished(self, *, endpoint: str, status: str, seconds: float, response_bytes: int) -> None:
        """Count one request; *endpoint* and *status* are from closed sets."""
        key = (endpoint, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        if endpoint not in self.durations:
            self.durations[endpoint] = Observations(REQUEST_BOUNDS)
        self.durations[endpoint].observe(seconds)
        self.response_bytes[endpoint] = self.response_bytes.get(endpoint, 0) + response_bytes
