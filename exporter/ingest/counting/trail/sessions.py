"""
The sessions of one source: which client and account a message came from, and which messages were not queued.

A session's events share its key. The server may write events of one second in another order, and the last ones after
the end of the session; so a session is kept for a while after its end. Bounded: the session that was silent longest is
forgotten first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.model.trail import RefusalReason
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.events.trail.kinds import (
    CHECKS,
    CONNECTION_END,
    DMARC_FAILED,
    IPREV_FAILED,
    MAIL_FROM,
    RCPT_TO,
    SPF_FAILED,
)

MAX_SESSIONS = 4096
MAX_RECIPIENTS = 100
"""The most recipients remembered of a message that is not yet queued."""

MAX_SAVED = 256
"""The most sessions that are saved with the watermark, the latest ones."""

MAX_SAVED_RECIPIENTS = 20
MAX_NAME = 64
"""The most characters kept of a listener's name and of a client's address."""

SILENT_SECONDS = 660
"""A session without an event for this long has ended: longer than the server's limit for a session, by its clock."""

NO_SPF_RECORD = "spf.none"

LATE_SECONDS = 5
"""How long after its end a session's events may still be written."""

REPORT_SECONDS = 2
"""The longest time between a session's last event and the event of the report that it brought."""


@dataclass(slots=True)
class Session:
    """
    One session and the message that it is handing over.

    Attributes:
        sender: Of the message not yet queued; empty if there is none.
        recipients: Those accepted for it.
        mail_at: When its sender was accepted, in Unix seconds.
        refused: Whether an event has already reported the refusal of the whole message, or of the session.
        failed: The failed checks since the last message, by event.
        queued: Sender and second of the message that was queued last: a late event may repeat it.
        ended_at: When the connection ended, in Unix seconds; 0 while it is open or if the source does not report it.
    """

    key: str
    listener: str = ""
    remote_ip: str = ""
    remote_port: int = 0
    account: str = ""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    mail_at: int = 0
    refused: bool = False
    failed: dict[str, int] = field(default_factory=dict)
    queued: tuple[str, int] = ("", 0)
    last_at: int = 0
    ended_at: int = 0

    def begin_message(self, sender: str, at: int) -> None:
        """Record an accepted sender; a recipient of the same second may have been written before it."""
        if (sender, at) <= self.queued and sender == self.queued[0]:
            return
        if self.mail_at or self.last_at < at:
            self.recipients = []
        self.sender, self.mail_at, self.refused = sender, at, False

    def add_recipient(self, recipient: str, at: int) -> None:
        """Record an accepted recipient, unless it belongs to the message that was queued last."""
        if not self.mail_at and at <= self.queued[1]:
            return
        if len(self.recipients) < MAX_RECIPIENTS:
            self.recipients.append(recipient)

    def fail_check(self, event: TrailEvent, at: int) -> None:
        """Record a failed check that may refuse the message."""
        if event.event_id == DMARC_FAILED and not event.is_strict:
            return
        if event.event_id == SPF_FAILED:
            if NO_SPF_RECORD in event.text:
                return
            self.sender = self.sender if self.mail_at else event.sender
        self.failed[event.event_id] = at

    def end_message(self, sender: str = "", at: int = 0) -> Sequence[str]:
        """Record that the message was queued, or accepted otherwise; return the recipients as the client named them."""
        named, self.recipients = self.recipients, []
        self.sender, self.mail_at, self.refused = "", 0, False
        self.failed.clear()
        self.queued = (sender, at)
        return named


@dataclass(frozen=True, slots=True)
class Unaccepted:
    """A message that was not queued although no event says so, or a session that ended before its message."""

    session: Session
    at: int
    reason: RefusalReason
    sender: str
    recipients: Sequence[str]
    text: str = ""


class SessionBook:
    """
    The open sessions of one source, by key, the one with the oldest last event first.

    *is_complete*: The source reports every refusal, so that what is not reported is inferred from the failed checks.
    """

    def __init__(self, *, is_complete: bool) -> None:
        self._is_complete = is_complete
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def take(self, event: TrailEvent, at: int) -> tuple[Session, Sequence[Unaccepted]]:
        """Return the session of *event*, and what its event shows not to have been accepted."""
        found = self._sessions.pop(event.session, None)
        gone: list[Unaccepted] = []
        if found is not None and at > found.last_at + SILENT_SECONDS:
            gone += self._judge(found)
            found = None
        session = self._sessions[event.session] = found or Session(event.session)
        session.listener = session.listener or event.listener[:MAX_NAME]
        session.remote_ip = session.remote_ip or event.remote_ip[:MAX_NAME]
        session.remote_port = session.remote_port or event.remote_port
        if event.event_id == MAIL_FROM:
            if session.mail_at and at > session.mail_at:
                gone += self._judge(session)
            session.begin_message(event.sender, at)
            session.failed = {check: when for check, when in session.failed.items() if check == DMARC_FAILED}
        elif event.event_id == RCPT_TO:
            session.add_recipient(event.recipient, at)
        elif event.event_id in CHECKS:
            session.fail_check(event, at)
        elif event.event_id == CONNECTION_END:
            session.ended_at = at
        session.last_at = max(session.last_at, at)
        if len(self._sessions) > MAX_SESSIONS:
            gone += self._judge(self._sessions.pop(next(iter(self._sessions))))
        return session, gone

    def report_arrived(self, sender: str, at: int) -> None:
        """Record that the message of one session was a report: the one with its *sender*, if that is known."""
        for session in self._sessions.values():
            near = session.mail_at and abs(at - session.last_at) <= REPORT_SECONDS
            if near and session.recipients and sender in ("", session.sender):
                session.end_message(session.sender, at)
                return

    def take_ended(self, now: int) -> Iterator[Unaccepted]:
        """Forget the sessions that have ended by *now*, the server's time, and yield what was not accepted."""
        for key, session in list(self._sessions.items()):
            silent = now > session.last_at + SILENT_SECONDS
            if silent or (session.ended_at and now > session.ended_at + LATE_SECONDS):
                del self._sessions[key]
                yield from self._judge(session)

    def _judge(self, session: Session) -> Iterator[Unaccepted]:
        """Yield what was not accepted of a session, unless an event has reported it; its message is then forgotten."""
        if session.refused:
            return
        if session.mail_at:
            if session.recipients:
                reason = RefusalReason.DMARC if DMARC_FAILED in session.failed else RefusalReason.NOT_ACCEPTED
                yield Unaccepted(session, session.mail_at, reason, session.sender, tuple(session.recipients))
            session.end_message()
        elif SPF_FAILED in session.failed:
            yield Unaccepted(session, session.failed[SPF_FAILED], RefusalReason.SPF, session.sender, ())
        elif IPREV_FAILED in session.failed:
            reason = RefusalReason.IPREV if self._is_complete else RefusalReason.NOT_ACCEPTED
            yield Unaccepted(session, session.failed[IPREV_FAILED], reason, "", (), IPREV_FAILED)

    def to_state(self) -> list[Any]:
        """Return the latest sessions in JSON-compatible form."""
        return [
            [
                one.key,
                one.listener,
                one.remote_ip,
                one.remote_port,
                one.account,
                one.sender,
                one.recipients[:MAX_SAVED_RECIPIENTS],
                one.mail_at,
                one.refused,
                one.failed,
                one.queued,
                one.last_at,
                one.ended_at,
            ]
            for one in list(self._sessions.values())[-MAX_SAVED:]
        ]

    def restore(self, state: Iterable[Sequence[Any]]) -> None:
        """Continue with what `to_state` has saved."""
        for saved in state:
            session = Session(*saved)
            session.queued = (session.queued[0], session.queued[1])
            self._sessions[session.key] = session
