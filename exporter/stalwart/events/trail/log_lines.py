"""
Parsing of the trail's events in log lines.

Contract: Stalwart v0.10-v0.16; tests/recordings/ops-*/trail.json, ``log``. A line of a session begins with its listener
and its client, one of an attempt with its message; a line written before its session was known has neither. A bounce's
line names its cause first and the bounce second. Addresses and texts are untrusted and not escaped, so that each event
is read by a pattern of its own, anchored at the server's keys on both sides.
"""

from __future__ import annotations

import re
from datetime import datetime

from exporter.model.delivery import DeliveryEvent, LogLine
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.events.log_details import DetailsReader, Span, parse_addresses, parse_number, unescaped
from exporter.stalwart.events.outcomes import ATTEMPT_START, PUT_OFF
from exporter.stalwart.events.trail.kinds import (
    AUTHENTICATED,
    CHECKS,
    DUPLICATE,
    HAM,
    QUEUED_EVENTS,
    REPORT_EVENTS,
    SESSION_EVENTS,
    SPAM,
    STEP_EVENTS,
)

_ADDRESS = r"[0-9a-fA-F.:]{2,45}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_SESSION = re.compile(
    rf'listenerId = "(?P<listener>[^"]{{1,64}})", localPort = [0-9]{{1,5}}, remoteIp = (?P<ip>{_ADDRESS}), '
    r"remotePort = (?P<port>[0-9]{1,5})(?:, |\Z)"
)
_QUEUED = re.compile(
    r'queueId = (?P<id>[0-9]{1,20}), from = (?P<addresses>".*)\], size = (?P<size>[0-9]{1,19})'
    rf", nextRetry = (?:{_TIME}|\(null\)), nextDsn = (?:{_TIME}|\(null\)), expires = (?P<expires>{_TIME}|\(null\))\Z",
    re.DOTALL,
)
_RETRY = re.compile(rf"nextRetry = (?P<retry>{_TIME})")
_INGESTED = re.compile(
    r"accountId = (?P<account>[0-9]{1,20})(?:, documentId = [0-9]+)?(?:, mailboxId = \[[0-9, ]*\])?"
    r'(?:, blobId = "[^"]*")?(?:, changeId = [0-9]+)?, messageId = "(?P<message>.*)"'
    r"(?:, size = [0-9]+, elapsed = [0-9]+ms)?\Z",
    re.DOTALL,
)
_ACCOUNT = re.compile(
    rf'(?:remoteIp = {_ADDRESS}, )?accountName = "(?P<account>.*?)"'
    r"(?=\Z|, (?:accountId|type|id|details|reason|remoteIp) = )",
    re.DOTALL,
)
_ONE_ADDRESS = re.compile(r'(?P<key>from|to) = "(?P<address>.*)"\Z', re.DOTALL)
_SIZE = re.compile(r"size = (?P<size>[0-9]{1,18})")
_STRICT = "strict = true, "
_SPF_FROM = re.compile(r'domain = "[^"]*", from = "(?P<address>.*)", result = ', re.DOTALL)
_RESULT = re.compile(r"result = [A-Za-z -]{1,60} \((?P<result>[a-z.-]{1,40})\)")
_REPORT_FROM = re.compile(r'(?:\A|, )from = "(?P<address>[^"]{1,320})"')


class TrailLines:
    """A reader of the trail's events for some lines in order; the lines of an attempt begin alike, so keep one."""

    def __init__(self) -> None:
        self._reader = DetailsReader()

    def event(self, line: LogLine) -> TrailEvent | None:
        """Return the event of a line; ``None`` if it says nothing about a message or a session."""
        event_id, at, details = line.event_id, line.at, line.details
        if not details:
            delivery = line.delivery
            return _of_delivery(delivery) if delivery is not None and event_id in STEP_EVENTS else None
        session = _SESSION.match(details)
        if session is not None:
            return _of_session(event_id, at, details, session)
        if details.startswith("queueId = "):
            span = self._reader.span(event_id, details)
            if span.own_at < len(details) or event_id not in QUEUED_EVENTS:
                return _of_attempt(self._reader, event_id, at, details, span)
        if event_id in QUEUED_EVENTS:
            return _queued(event_id, at, details, 0, TrailEvent(event_id, at))
        if event_id in REPORT_EVENTS:
            found = _REPORT_FROM.search(details)
            return TrailEvent(event_id, at, sender=unescaped(found["address"]) if found else "")
        return _of_session(event_id, at, details, None) if event_id in SESSION_EVENTS else None


def _of_delivery(read: DeliveryEvent) -> TrailEvent:
    return TrailEvent(
        read.event_id,
        read.at,
        queue_id=read.queue_id,
        queue_name=read.queue_name,
        recipient=read.recipient,
        hostname=read.hostname,
        domain=read.domain,
        code=read.code,
        text=read.text,
    )


def _of_session(event_id: str, at: datetime, details: str, session: re.Match[str] | None) -> TrailEvent | None:
    """Return an event of a session; without its keys if the line was written before the session was known."""
    event = TrailEvent(event_id, at)
    own_at = 0
    if session is not None:
        own_at, event.listener, event.remote_ip = session.end(), session["listener"], session["ip"]
        event.remote_port = int(session["port"])
        event.session = f"{event.listener}|{event.remote_ip}|{event.remote_port}"
    if event_id in QUEUED_EVENTS:
        return _queued(event_id, at, details, own_at, event)
    if event_id == AUTHENTICATED or event_id.startswith("auth."):
        account = _ACCOUNT.match(details, own_at)
        event.account = unescaped(account["account"]) if account else ""
    elif event_id in CHECKS:
        _add_check(event, details, own_at)
    else:
        _add_own(event, details, own_at)
    return event


def _add_check(event: TrailEvent, details: str, own_at: int) -> None:
    event.is_strict = details.startswith(_STRICT, own_at)
    sender, result = _SPF_FROM.match(details, own_at), _RESULT.search(details, own_at)
    event.sender = unescaped(sender["address"]) if sender else ""
    event.text = result["result"] if result else ""


def _add_own(event: TrailEvent, details: str, own_at: int) -> None:
    address, size = _ONE_ADDRESS.match(details, own_at), _SIZE.match(details, own_at)
    if address is not None:
        text = unescaped(address["address"])
        event.sender, event.recipient = (text, "") if address["key"] == "from" else ("", text)
    elif size is not None:
        event.size = int(size["size"])


def _queued(event_id: str, at: datetime, details: str, own_at: int, event: TrailEvent) -> TrailEvent | None:
    """Add the message that enters the queue to *event*; ``None`` if the line is not as the server writes it."""
    found = _QUEUED.match(details, own_at)
    if found is None:
        return None
    event.new_queue_id, event.size = parse_number(found["id"]), int(found["size"])
    event.sender, event.recipients, _ = parse_addresses(found["addresses"])
    event.expires = _moment(found["expires"])
    return event


def _of_attempt(reader: DetailsReader, event_id: str, at: datetime, details: str, span: Span) -> TrailEvent | None:
    event = TrailEvent(event_id, at, queue_id=span.queue_id, queue_name=span.queue_name)
    if event_id in QUEUED_EVENTS:
        return _queued(event_id, at, details, span.own_at, event)
    if event_id == ATTEMPT_START:
        event.sender, event.recipients, event.size = span.sender, span.recipients, span.size
    elif event_id == PUT_OFF:
        retry = _RETRY.match(details, span.own_at)
        event.next_retry = _moment(retry["retry"]) if retry else None
    elif event_id in (HAM, SPAM, DUPLICATE):
        ingested = _INGESTED.match(details, span.own_at)
        if ingested is not None:
            event.account, event.message_id = ingested["account"], unescaped(ingested["message"])
    elif event_id in STEP_EVENTS:
        read = reader.delivery_event(event_id, at, details)
        return None if read is None else _of_delivery(read)
    else:
        return None
    return event


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
