"""Reports about other domains that the server is going to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingReports:
    """
    DMARC and TLS reports waiting to be sent.

    Attributes:
        waiting: By kind (``dmarc``, ``tls``, ``unknown``); the two known kinds are always present.
    """

    waiting: Mapping[str, int]
