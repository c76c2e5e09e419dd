"""
Turns the events of one source into rows of the trail.

A source gets its recorder from `DeliveryCounter.recorder`, feeds it its events in order of arrival (`feed`) and passes
it to `DeliveryCounter.count`, which adds a row for each outcome that it counts. It hands the result of `take` to
`Ledger.record` together with the increments and the watermark: what is counted and what is kept are then one
transaction. `to_state` belongs into the source's watermark, since a session may go on after it.

Events of sessions are kept from every source, since their rows are keyed by what they are. Steps of an attempt are kept
only from the source that counts the outcomes of their second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.clock import unix_second
from exporter.ingest.counting.trail.refusals import inferred_refusals, named_refusals
from exporter.ingest.counting.trail.sessions import Session, SessionBook, Unaccepted
from exporter.model.delivery import DeliveryOutcome
from exporter.model.trail import MessageKind, RefusalReason
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.events.outcomes import ATTEMPT_START
from exporter.stalwart.events.trail.kinds import (
    AUTHENTICATED,
    OF_RECIPIENT,
    QUEUED_EVENTS,
    REFUSAL_EVENTS,
    REPORT_EVENTS,
    SESSION_EVENTS,
    SPAM_CLASSIFIED,
    STEP_EVENTS,
)
from exporter.store.trail.masking import Addresses, AddressMask
from exporter.store.trail.rows import MessageRow, OutcomeRow, StepRow, TrailRows
from exporter.store.trail.schema import MAX_INTEGER, NAME_LIMIT, RECIPIENT_LIMIT, TEXT_LIMIT

EXPANDED = "smtp.rcpt-to"
"""The step for an address that the server replaced by others: a list, or a rewritten address."""

MANY_ROWS = 10_000
"""Rows that are written before the step that counts is complete, so that a long one does not fill the memory."""

_SPAM = {"reject": RefusalReason.SPAM_REJECTED, "discard": RefusalReason.SPAM_DISCARDED}
_OTHER_LOGINS = ("http", "imap", "pop3", "sieve", "managesieve")
"""Names of listeners, as configured by default, whose logins submit no mail over SMTP."""


@dataclass(frozen=True, slots=True)
class TrailPolicy:
    """
    What of a server's mail is kept.

    Attributes:
        mask: Applied to every address, account and text before anything else.
    """

    mask: AddressMask


class TrailRecorder:
    """
    The trail of one source; *owns* returns whether it counts the outcomes of a Unix second.

    *is_complete*: The source reports every refusal (live traces, webhooks), unlike a log at level ``info``.

    Attributes:
        enabled: Whether anything is kept, which is so if there is a *policy*; all methods may be called if not.
    """

    def __init__(
        self,
        source: str,
        policy: TrailPolicy | None,
        owns: Callable[[int], bool],
        *,
        is_complete: bool = False,
        state: Any | None = None,
    ) -> None:
        self._source = source
        self.enabled = policy is not None
        self._mask = policy.mask if policy is not None else AddressMask(Addresses.DOMAIN, b"")
        self._owns = owns
        self._rows = TrailRows()
        self._sessions = SessionBook(is_complete=is_complete)
        self._number = 0
        self._second, self._is_owner = -1, False
        if state is not None:
            self._number = state["number"]
            self._sessions.restore(state["sessions"])

    def feed(self, event: TrailEvent) -> None:
        """Process *event*, the next one to arrive."""
        if not self.enabled:
            return
        at, event_id = unix_second(event.at), event.event_id
        if event_id in QUEUED_EVENTS:
            self._queued(event, at, QUEUED_EVENTS[event_id])
        elif event.queue_id and not event.session:
            if self._owns_second(at):
                self._of_attempt(event, at)
        elif event_id in SESSION_EVENTS:
            self._of_session(event, at)

    def add_outcome(self, outcome: DeliveryOutcome) -> None:
        """Add the row of a counted outcome."""
        if not self.enabled:
            return
        event, mask = outcome.event, self._mask
        self._number += 1
        row = (unix_second(outcome.at), outcome.outcome.value, outcome.reason, outcome.code, outcome.domain)
        if event is None:
            self._rows.outcomes.append(OutcomeRow(0, *row, "", "", "", "", self._source, self._number))
            return
        self._rows.outcomes.append(
            OutcomeRow(
                max(0, event.queue_id),
                *row,
                event.queue_name[:NAME_LIMIT],
                mask.address(event.recipient),
                event.hostname[:NAME_LIMIT],
                mask.text(event.text)[:TEXT_LIMIT],
                self._source,
                self._number,
            )
        )

    def take_ended(self, now: int) -> None:
        """Record what was not accepted of sessions that have ended by *now*, the server's time in Unix seconds."""
        self._infer_all(self._sessions.take_ended(now))

    def take(self) -> TrailRows:
        """Return the rows since the last call."""
        rows, self._rows = self._rows, TrailRows()
        return rows

    def take_repeatable(self) -> TrailRows | None:
        """
        Return the rows without those of outcomes, if there are many; ``None`` if not.

        They are keyed by what they are, so they may be written before the watermark moves: what is read twice is
        written once.
        """
        if len(self._rows) - len(self._rows.outcomes) < MANY_ROWS:
            return None
        rows = self.take()
        self._rows.outcomes, rows.outcomes = rows.outcomes, []
        return rows

    def to_state(self) -> Any:
        """Return the open sessions, masked, as JSON-serializable data; ``None`` if nothing is kept."""
        if not self.enabled:
            return None
        return {"number": self._number, "sessions": self._sessions.to_state()}

    def _owns_second(self, at: int) -> bool:
        if at != self._second:
            self._second, self._is_owner = at, self._owns(at)
        return self._is_owner

    def _queued(self, event: TrailEvent, at: int, kind: MessageKind) -> None:
        """Record a message that enters the queue, with the session or the message that it comes from."""
        queue_id = event.new_queue_id or event.queue_id
        if not queue_id:
            return
        row = self._message(queue_id, at)
        row.accepted_at = row.accepted_at or at
        row.kind = kind
        row.sender = self._mask.address(event.sender)
        row.size = min(event.size, MAX_INTEGER)
        row.expires_at = None if event.expires is None else unix_second(event.expires)
        if event.queue_id != queue_id:
            row.cause = event.queue_id
        self._add_recipients(row, event, "")
        if event.session:
            session, gone = self._sessions.take(self._masked(event), at)
            self._from_session(row, session, event, at)
            self._infer_all(gone)

    def _from_session(self, row: MessageRow, session: Session, event: TrailEvent, at: int) -> None:
        row.account, row.listener, row.remote_ip = session.account, session.listener, session.remote_ip
        named = session.end_message(row.sender, at)
        mask = self._mask.address
        known = {mask(address) for address in event.recipients}
        known |= {mask(_without_tag(address)) for address in event.recipients}
        if len(event.recipients) <= RECIPIENT_LIMIT:
            for address in dict.fromkeys(one for one in named if one not in known):
                self._rows.recipients[row.queue_id, address] = ("", at)
                self._step(event, row.queue_id, at, event_id=EXPANDED, recipient=address)

    def _of_attempt(self, event: TrailEvent, at: int) -> None:
        if event.event_id == ATTEMPT_START:
            if event.recipients or event.sender:
                row = self._message(event.queue_id, at)
                row.sender = row.sender or self._mask.address(event.sender)
                row.size = row.size or min(event.size, MAX_INTEGER)
                self._add_recipients(row, event, event.queue_name[:NAME_LIMIT])
        elif event.event_id in STEP_EVENTS:
            if event.message_id:
                self._message(event.queue_id, at).message_id = event.message_id[:NAME_LIMIT]
            self._step(event, event.queue_id, at, recipient=self._mask.address(event.recipient))

    def _of_session(self, event: TrailEvent, at: int) -> None:
        event_id, masked = event.event_id, self._masked(event)
        if event_id in REPORT_EVENTS:
            self._sessions.report_arrived(masked.sender, at)
        elif not event.session:
            if event_id in REFUSAL_EVENTS:
                self._refuse(masked, None, at, REFUSAL_EVENTS[event_id])
        elif event_id == AUTHENTICATED:
            if not event.listener.startswith(_OTHER_LOGINS):
                session, gone = self._sessions.take(masked, at)
                session.account = masked.account or session.account
                self._infer_all(gone)
        else:
            session, gone = self._sessions.take(masked, at)
            self._infer_all(gone)
            reason = _SPAM.get(event.text) if event_id == SPAM_CLASSIFIED else REFUSAL_EVENTS.get(event_id)
            is_mail = reason is not RefusalReason.PERMISSION or not session.listener.startswith(_OTHER_LOGINS)
            if reason is not None and is_mail:
                self._refuse(masked, session, at, reason)

    def _refuse(self, masked: TrailEvent, session: Session | None, at: int, reason: RefusalReason) -> None:
        """Add a refusal; that of a whole message concerns the recipients that were accepted for it."""
        recipients: Sequence[str] = (masked.recipient,)
        if session is not None and masked.event_id not in OF_RECIPIENT:
            session.refused = True
            recipients = recipients if masked.recipient else session.recipients or ("",)
        self._rows.refusals += named_refusals(masked, session, at, reason, recipients)

    def _infer_all(self, gone: Iterable[Unaccepted]) -> None:
        for unaccepted in gone:
            self._rows.refusals += inferred_refusals(unaccepted)

    def _message(self, queue_id: int, at: int) -> MessageRow:
        row = self._rows.messages.get(queue_id)
        if row is None:
            row = self._rows.messages[queue_id] = MessageRow(queue_id, at)
        return row

    def _add_recipients(self, row: MessageRow, event: TrailEvent, queue_name: str) -> None:
        row.recipients = max(row.recipients, len(event.recipients))
        for address in event.recipients[:RECIPIENT_LIMIT]:
            self._rows.recipients[row.queue_id, self._mask.address(address)] = (queue_name, row.at)

    def _step(self, event: TrailEvent, queue_id: int, at: int, *, recipient: str, event_id: str = "") -> None:
        self._number += 1
        self._rows.steps.append(
            StepRow(
                queue_id=queue_id,
                at=at,
                event=event_id or event.event_id,
                queue_name=event.queue_name[:NAME_LIMIT],
                recipient=recipient,
                hostname=event.hostname[:NAME_LIMIT],
                domain=event.domain[:NAME_LIMIT],
                code=str(event.code) if event.code else "",
                text=self._mask.text(event.text)[:TEXT_LIMIT],
                next_at=None if event.next_retry is None else unix_second(event.next_retry),
                number=self._number,
            )
        )

    def _masked(self, event: TrailEvent) -> TrailEvent:
        """Mask the addresses of an event of a session in place, since a session remembers them, and return it."""
        mask = self._mask
        if event.account:
            event.account = mask.account(event.account)
        if event.sender:
            event.sender = mask.address(event.sender)
        if event.recipient:
            event.recipient = mask.address(event.recipient)
        if event.text:
            event.text = mask.text(event.text)[:TEXT_LIMIT]
        return event


def _without_tag(address: str) -> str:
    """Return an address without its subaddress: ``alice+news@example.org`` is delivered to ``alice@example.org``."""
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"
