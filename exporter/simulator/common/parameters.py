"""Requests, and query parameters parsed as leniently as on the server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, unquote

from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.values import Keys


class Parameters:
    """Query parameters: the last of a name wins, empty and invalid values are ignored."""

    def __init__(self, query: str) -> None:
        self._values = dict(pair for pair in parse_qsl(query, keep_blank_values=True) if pair[1])

    def text(self, name: str) -> str:
        """Return a value, or an empty string."""
        return self._values.get(name, "")

    def all_but(self, *names: str) -> dict[str, str]:
        """Return every value by name, except *names*."""
        return {name: value for name, value in self._values.items() if name not in names}

    def flag(self, name: str) -> bool:
        """Return whether the parameter is present with any value, including `0` and `false`."""
        return name in self._values

    def number(self, name: str, default: int = 0) -> int:
        """Return a decimal number; *default* for anything else."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else default

    def optional_number(self, name: str) -> int | None:
        """Return a decimal number, or None."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else None

    def moment(self, name: str) -> float | None:
        """Return an RFC 3339 timestamp as Unix seconds, or None."""
        value = self._values.get(name, "")
        if len(value) < 20 or value[10] not in "Tt ":
            return None
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo is not None else None

    def window(self, default_limit: int = 0) -> tuple[int, int]:
        """Return how many matches to skip and how many to return; 0 returns all."""
        limit = self.number("limit", default_limit)
        return max(self.number("page") - 1, 0) * limit, limit


@dataclass(slots=True)
class Request:
    """
    One HTTP request.

    Attributes:
        span: The span of its connection.
        crowded: Whether the account had reached its limit of concurrent requests.
        account: The caller, once authenticated.
        calls: The JMAP methods called, once they are parsed.
    """

    method: str
    path: str
    query: str = ""
    authorization: str | None = None
    ip: str = "127.0.0.1"
    body: bytes = b""
    content_type: str = ""
    span: Span | None = None
    crowded: bool = False
    account: Account | None = None
    calls: tuple[str, ...] = ()

    def log_keys(self) -> Keys:
        """Return what the log records of the request at level `TRACE`: headers, including the login, and body."""
        headers = (("authorization", self.authorization or ""), ("accept", "application/json, text/plain"))
        return {"details": headers, "contents": self.body.decode("utf-8", "replace"), "size": len(self.body)}

    @property
    def parts(self) -> tuple[str, ...]:
        """The path below `/api`, split at slashes and decoded; a trailing slash yields an empty last part."""
        return tuple(unquote(part) for part in self.path.split("/")[2:])

    @property
    def parameters(self) -> Parameters:
        """The query parameters."""
        return Parameters(self.query)

    @property
    def caller(self) -> Account:
        """The caller, once authenticated."""
        if self.account is None:
            raise RuntimeError("not authenticated")
        return self.account
