"""A condition of an alert that holds on a server, in an operator's terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """
    What is wrong, and what to do next.

    Attributes:
        alert: Name of the alert and of its runbook.
        about: Distinguishes conditions of the same alert and server (a domain, a certificate), otherwise empty.
        what: What is wrong, as text after the server's name and a colon.
        do: The next step, one sentence.
        at_once: Whether it is a fact, not a measurement: it applies without the alert's delay.
        last_good_at: Aware, in UTC; ``None`` if unknown.
    """

    alert: str
    what: str
    do: str
    about: str = ""
    at_once: bool = False
    last_good_at: datetime | None = None

    @property
    def key(self) -> str:
        """The key under which its duration is recorded."""
        return f"{self.alert} {self.about}"
