"""Events of the HTTP listener: connections and logins."""

from __future__ import annotations

from exporter.simulator.world.accounts.api_keys import login_keys
from exporter.simulator.world.accounts.directory import Directory
from exporter.simulator.world.context import Context
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.values import Address, Duration, Keys


class HttpEvents:
    """Raises the events of the HTTP listener."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        self._login_span: Span | None = None

    def connected(self, ip: str, port: int, local_port: int) -> Span:
        """Record a new connection to the HTTP listener."""
        keys: Keys = {"listenerId": "http", "localPort": local_port, "remoteIp": Address(ip), "remotePort": port}
        return self._context.open_span("http.connection-start", keys, kept=False)

    def disconnected(self, span: Span, seconds: float) -> None:
        """Record the end of a connection."""
        elapsed = Duration(int(seconds * 1000))
        self._context.close_span("http.connection-end", span, {"elapsed": elapsed})

    def login_within(self, span: Span | None) -> None:
        """Set the connection of the next login."""
        self._login_span = span

    def logged_in(self, name: str) -> None:
        """Record an account's login."""
        profile, account = self._context.profile, self._directory.accounts[name]
        keys: Keys = {"accountName": name, "accountId": account.account_id}
        if profile.jmap:
            keys = login_keys(account, profile.local_domain)
        self._context.journal.raise_event("auth.success", keys, self._login_span)
