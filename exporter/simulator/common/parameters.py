"""Requests, and query parameters with the server's forgiving rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, unquote

from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.values import Keys


class Parameters:
    """Query parameters: the last of a name wins, empty values are dropped, what does not parse is ignored."""

    def __init__(self, query: str) -> None:
        self._values = dict(pair for pair in parse_qsl(query, keep_blank_values=True) if pair[1])

    def text(self, name: str) -> str:
        """A value, or an empty string."""
        return self._values.get(name, "")

    def all_but(self, *names: str) -> dict[str, str]:
        """Every value by its name, except these."""
        return {name: value for name, value in self._values.items() if name not in names}

    def flag(self, name: str) -> bool:
        """Present with any value at all, `0` and `false` included."""
        return name in self._values

    def number(self, name: str, default: int = 0) -> int:
        """A plain decimal number; anything else is the default."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else default

    def optional_number(self, name: str) -> int | None:
        """A plain decimal number, or None."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else None

    def moment(self, name: str) -> float | None:
        """An RFC 3339 timestamp in Unix seconds, or None."""
        value = self._values.get(name, "")
        if len(value) < 20 or value[10] not in "Tt ":
            return None
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo is not None else None

    def window(self, default_limit: int = 0) -> tuple[int, int]:
        """How many matches to skip and how many to show; 0 shows all."""
        limit = self.number("limit", default_limit)
        return max(self.number("page") - 1, 0) * limit, limit


@dataclass(slots=True)
class Request:
    """
    One HTTP request.

    Attributes:
        span: The connection it came over.
        crowded: The account had as many requests under way as it may when this one came.
        account: Who asks, once authenticated.
        calls: The JMAP methods called, once they have been read.
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
        """What the log holds of it at level `TRACE`: headers, the login included, and body."""
        headers = (("authorization", self.authorization or ""), ("accept", "application/json, text/plain"))
        return {"details": headers, "contents": self.body.decode("utf-8", "replace"), "size": len(self.body)}

    @property
    def parts(self) -> tuple[str, ...]:
        """The path below `/api`, split at slashes and decoded; a trailing slash makes an empty last part."""
        return tuple(unquote(part) for part in self.path.split("/")[2:])

    @property
    def parameters(self) -> Parameters:
        """The query."""
        return Parameters(self.query)

    @property
    def caller(self) -> Account:
        """Who asks, once authenticated."""
        if self.account is None:
            raise RuntimeError("not authenticated")
        return self.account
