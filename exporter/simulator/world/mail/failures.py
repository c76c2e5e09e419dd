"""Delivery failures, and their texts in the two formats of the releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "unexpected_response",
    "dns_error",
    "connection_error",
    "tls_error",
    "dane_error",
    "mta_sts_error",
    "rate_limited",
    "concurrency_limited",
    "io_error",
]

_FLAT = {
    "dns_error": "DNS lookup failed: {detail}",
    "connection_error": "Connection failed: {detail}",
    "tls_error": "TLS error: {detail}",
    "dane_error": "DANE authentication failure: {detail}",
    "mta_sts_error": "MTA-STS auth failed: {detail}",
    "rate_limited": "Rate limited",
    "concurrency_limited": "Too many concurrent connections to remote server",
    "io_error": "Queue error: {detail}",
}
_NESTED = _FLAT | {
    "connection_error": "Connection to '{entity}' failed: {detail}",
    "tls_error": "TLS error from '{entity}': {detail}",
    "dane_error": "DANE failed to authenticate '{entity}': {detail}",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply; `enhanced` is `0.0.0` if the host sent none."""

    code: int
    enhanced: str
    message: str

    def __str__(self) -> str:
        return f"Code: {self.code}, Enhanced code: {self.enhanced}, Message: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    An error of one recipient or of a whole host.

    Attributes:
        entity: The host, or the domain before a host was chosen, or `localhost`.
        detail: Free text; unused if there is a `reply`.
        own: Whether it affects this recipient alone (RCPT), not everyone at the host.
    """

    reason: Reason
    entity: str
    permanent: bool = False
    detail: str = ""
    command: str = ""
    reply: Reply | None = None
    own: bool = False

    @property
    def code(self) -> str:
        """The reply code in digits; empty without a reply."""
        return str(self.reply.code) if self.reply is not None else ""

    @property
    def what(self) -> str:
        """The error without its host, from v0.13 on."""
        if self.reply is not None:
            return f"Unexpected response for {self.command}: {self.reply}"
        return _FLAT[self.reason].format(detail=self.detail)

    @property
    def flat_text(self) -> str:
        """The status text of a recipient, from v0.13 on."""
        return f"Error for {self.entity}: {self.what}"

    @property
    def nested_text(self) -> str:
        """The status text up to v0.12: the reply alone for a recipient, with the host for a domain."""
        if self.reply is not None:
            return str(self.reply) if self.own else f"Unexpected response from '{self.entity}': {self.reply}"
        return _NESTED[self.reason].format(entity=self.entity, detail=self.detail)

    def with_severity(self, *, nested: bool) -> str:
        """Return the text in events about the state of a whole host."""
        severity = "Permanent" if self.permanent else "Temporary"
        if nested:
            return f"{severity} Failure: {self.nested_text}"
        return f"{severity} Failure for {self.entity}: {self.what}"
