"""One condition of an alert that holds on a server, in an operator's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """
    What is wrong, and what to do next.

    Attributes:
        alert: The alert about it, which is also its runbook's name.
        about: What tells it from others of the same alert on the same server (a domain, a certificate), else empty.
        what: What is wrong, as it follows the server's name and a colon.
        do: The next step, one sentence.
        at_once: Whether it is a fact rather than a measurement that may pass: it is not doubted for the alert's delay.
        last_good_at: Aware, in UTC; ``None`` if that is not known.
    """

    alert: str
    what: str
    do: str
    about: str = ""
    at_once: bool = False
    last_good_at: datetime | None = None

    @property
    def key(self) -> str:
        """What its duration is remembered by."""
        return f"{self.alert} {self.about}"
