"""The rows of refusals, reported by an event or inferred from the end of a session."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.ingest.counting.trail.sessions import Session, Unaccepted
from exporter.model.trail import RefusalReason
from exporter.model.trail_event import TrailEvent
from exporter.store.trail.rows import RefusalRow
from exporter.store.trail.schema import MAX_INTEGER, NAME_LIMIT, TEXT_LIMIT

INFERRED = "session.not-accepted"
"""Stands for the event of an inferred refusal."""

_NO_SESSION = Session("")


def named_refusals(
    masked: TrailEvent, session: Session | None, at: int, reason: RefusalReason, recipients: Sequence[str]
) -> list[RefusalRow]:
    """Return a row for each of *recipients*; what the event does not name is taken from its session."""
    known = session or _NO_SESSION
    return [
        RefusalRow(
            at=at,
            event=masked.event_id,
            remote_ip=(masked.remote_ip or known.remote_ip)[:NAME_LIMIT],
            remote_port=min(masked.remote_port or known.remote_port, MAX_INTEGER),
            recipient=recipient,
            reason=reason,
            listener=masked.listener or known.listener,
            account=masked.account or known.account,
            sender=masked.sender or known.sender,
            size=min(masked.size, MAX_INTEGER),
            code=str(masked.code)[:NAME_LIMIT] if masked.code else "",
            text=masked.text[:TEXT_LIMIT],
            inferred=False,
        )
        for recipient in recipients
    ]


def inferred_refusals(gone: Unaccepted) -> list[RefusalRow]:
    """Return a row for each recipient that was not accepted, or one without a recipient."""
    session = gone.session
    return [
        RefusalRow(
            at=gone.at,
            event=INFERRED,
            remote_ip=session.remote_ip[:NAME_LIMIT],
            remote_port=min(session.remote_port, MAX_INTEGER),
            recipient=recipient,
            reason=gone.reason,
            listener=session.listener,
            account=session.account,
            sender=gone.sender,
            size=0,
            code="",
            text=gone.text,
            inferred=True,
        )
        for recipient in gone.recipients or ("",)
    ]
