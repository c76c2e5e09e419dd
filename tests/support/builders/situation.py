"""One situation of a fleet, and the headline that is true of it."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.web.interfaces import ServerStatus, StatusPage
from tests.support.listener.app import status_page


@dataclass(frozen=True)
class Situation:
    """
    What is the case, and what the first line must say of it.

    Attributes:
        says: The headline's beginning.
        do: The beginning of the next step.
    """

    page: StatusPage
    kind: str
    says: str
    do: str = ""


def one(server: ServerStatus, kind: str, says: str, do: str = "") -> Situation:
    return Situation(status_page(server), kind, says, do)
