"""The message of a round trip, and how it is recognised."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from email.utils import format_datetime

HEADER = "X-Stalwart-Exporter-Round-Trip"
SUBJECT = "Round trip probe of stalwart-exporter"

_TOKEN = re.compile(
    rf"^{HEADER}:[ \t]*(?:\r?\n[ \t]+)?([0-9a-f]{{32}})[ \t]*\r?$".encode(), re.IGNORECASE | re.MULTILINE
)


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_hex(16)


def message_of(token: str, address: str, *, now: datetime) -> bytes:
    """Return the message with *token* from *address* to itself (RFC 5322)."""
    head = (
        f"From: <{address}>",
        f"To: <{address}>",
        f"Subject: {SUBJECT}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{token}@{address.rpartition('@')[2]}>",
        f"{HEADER}: {token}",
        # Keeps replies of filters and holiday notices away (RFC 3834).
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        'Content-Type: text/plain; charset="us-ascii"',
    )
    text = "stalwart-exporter sends this message to measure delivery, and deletes it again.\r\n"
    return "\r\n".join([*head, "", text]).encode("ascii")


def token_in(head: bytes) -> str:
    """Return the token in the header fields *head*; empty if they are not those of a probe."""
    found = _TOKEN.search(head)
    return found[1].decode("ascii") if found is not None else ""
