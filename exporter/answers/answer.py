"""The answer to a question about mail, and the evidence for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exporter.answers.fate import Fate
from exporter.answers.queue_state import LiveState
from exporter.answers.standing import Standing
from exporter.model.trail import MessageTrail, Refusal, TrailMessage, TrailOutcome, TrailStep
from exporter.store.reports.queries import TlsFailure


class Kind(StrEnum):
    """What an answer is about."""

    MESSAGE = "message"
    REFUSAL = "refusal"
    DOMAIN = "domain"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEvidence:
    """
    One message.

    Attributes:
        standings: How its recipients stand, those that the question is about first.
        bounces: The notices to the sender that it caused, and how they fared.
        is_in_trail: Whether the trail knows it, and not only the server's queue.
    """

    trail: MessageTrail
    standings: Sequence[Standing]
    live: LiveState
    bounces: Sequence[tuple[TrailMessage, Fate]] = ()
    is_in_trail: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationEvidence:
    """
    What is known of the domain that mail goes to.

    Attributes:
        outcomes: Of the last deliveries to it, of all messages, newest first.
        events: The last event of each kind and host that shows its DNS, TLS or connection, newest first.
        tls_failures: What others have reported of TLS sessions to it.
    """

    domain: str
    outcomes: Sequence[TrailOutcome]
    events: Sequence[TrailStep]
    tls_failures: Sequence[TlsFailure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """
    Another message or refusal that matches the question, in one line.

    Attributes:
        queue_id: ``None`` for a refusal.
    """

    server: str
    at: datetime
    queue_id: int | None
    fate: Fate
    sender: str
    recipients: Sequence[str]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    The answer to a question about mail.

    Attributes:
        happened: What happened, and where the mail is now.
        next: What happens next without anybody's help; may be empty.
        todo: What to do, most important first; may be empty.
        notes: What limits the answer, and how to ask more precisely.
        matches: How many messages and refusals match, at most `MOST_MATCHES`.
        others: The newest of the matches besides the one that the answer is about.
    """

    kind: Kind
    fate: Fate
    happened: str
    next: str = ""
    todo: Sequence[str] = ()
    notes: Sequence[str] = ()
    server: str = ""
    message: MessageEvidence | None = None
    refusal: Refusal | None = None
    destinations: Sequence[DestinationEvidence] = ()
    matches: int = 0
    others: Sequence[Match] = ()


MOST_MATCHES = 200
"""Matches are counted up to this number."""
