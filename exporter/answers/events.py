"""The events of a message's history in words."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model.delivery import Outcome
from exporter.model.trail import TrailOutcome, TrailStep

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.DELIVERED: "delivered",
    Outcome.PERMANENT_FAILURE: "failed for good",
    Outcome.TEMPORARY_FAILURE: "put off",
}
_EVENTS: Mapping[str, str] = {
    "smtp.rcpt-to": "replaced by other recipients",
    "delivery.delivered": "accepted by the remote server",
    "delivery.failed": "its time in the queue is over",
    "delivery.double-bounce": "bounce given up",
    "delivery.dsn-temp-fail": "delay notice",
    "delivery.rcpt-to-rejected": "recipient refused",
    "delivery.rcpt-to-failed": "recipient not accepted",
    "delivery.mail-from-rejected": "sender refused",
    "delivery.message-rejected": "message refused",
    "delivery.ehlo-rejected": "greeting refused",
    "delivery.greeting-failed": "no greeting",
    "delivery.auth-failed": "login at the relay failed",
    "delivery.connect-error": "connection failed",
    "delivery.mx-lookup-failed": "MX look-up failed",
    "delivery.ip-lookup-failed": "address look-up failed",
    "delivery.null-mx": "domain accepts no mail (null MX)",
    "delivery.start-tls": "TLS established",
    "delivery.start-tls-unavailable": "STARTTLS not offered",
    "delivery.start-tls-disabled": "STARTTLS disabled",
    "delivery.start-tls-error": "STARTTLS failed",
    "delivery.implicit-tls-error": "TLS failed",
    "delivery.rate-limit-exceeded": "held by this server's rate limit",
    "delivery.concurrency-limit-exceeded": "held by this server's limit of concurrent deliveries",
    "queue.rescheduled": "rescheduled",
    "limit.quota": "mailbox over its quota",
    "message-ingest.ham": "stored in the mailbox",
    "message-ingest.spam": "stored in the Junk folder",
    "message-ingest.duplicate": "already in the mailbox",
    "message-ingest.error": "could not be stored",
    "security.unauthorized": "recipient lacks a permission",
}
_FAMILIES = {"dane": "DANE", "mta-sts": "MTA-STS", "delivery": "delivery", "queue": "queue"}

EXPIRED = "delivery.failed"

DNS_EVENTS = frozenset({"delivery.mx-lookup-failed", "delivery.ip-lookup-failed", "delivery.null-mx"})
"""The events that show the DNS of a destination."""

TLS_PREFIXES = ("dane.", "mta-sts.", "delivery.start-tls", "delivery.implicit-tls")
"""How the events begin that show the TLS of a destination."""

CONNECTION_EVENTS = frozenset({"delivery.connect-error", "delivery.greeting-failed", "delivery.ehlo-rejected"})
"""The events that show whether a destination can be reached."""


def event_words(event_id: str) -> str:
    """Return an event in words: those of the table, else its name."""
    known = _EVENTS.get(event_id)
    if known is not None:
        return known
    family, _, rest = event_id.partition(".")
    return f"{_FAMILIES.get(family, family)}: {rest.replace('-', ' ')}"


def entry_words(entry: TrailStep | TrailOutcome) -> str:
    """Return an entry of a timeline in words."""
    return _OUTCOMES[entry.outcome] if isinstance(entry, TrailOutcome) else event_words(entry.event_id)


def concerns_destination(event_id: str) -> bool:
    """Whether an event shows the state of DNS, TLS or the connection of a destination."""
    return event_id in DNS_EVENTS or event_id in CONNECTION_EVENTS or event_id.startswith(TLS_PREFIXES)
