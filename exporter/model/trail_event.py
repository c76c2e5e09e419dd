"""One event of a session or a delivery attempt, in the form that all sources share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

NULL_SENDER = "<>"
"""The envelope sender of bounces; an empty sender is an unknown one."""


@dataclass(unsafe_hash=True, slots=True)
class TrailEvent:
    """
    One event of a session or a delivery attempt, from any source. The recorder that takes it may mask it in place.

    A source that has no value for a field leaves its default. All texts are untrusted, and none is masked yet.

    Attributes:
        event_id: As the newest release spells it.
        at: When it occurred, to the second, aware and in UTC.
        session: The key of the session, equal for all its events within one source; empty outside of sessions. In a log
            it consists of listener, address and port, elsewhere it is the span's number.
        queue_id: The message that the event concerns; for a bounce that is queued, the message that caused it. 0 if
            unknown.
        queue_name: The virtual queue of the attempt, or empty.
        new_queue_id: The message that the event puts into the queue, or 0; `sender`, `recipients`, `size` and `expires`
            are then that message's, else those of the attempt.
        listener: The listener of the session.
        remote_ip: The client of the session, or in an attempt the remote host.
        remote_port: The client's port, or 0.
        account: The account named in the event: a login name, or an account's number where the server has no name.
        sender: The envelope sender; `NULL_SENDER` for bounces.
        recipient: The one address that the event concerns.
        hostname: The remote host of an attempt.
        domain: The domain that the event concerns.
        code: The SMTP reply code, or 0.
        text: Reply or error, shortened.
        message_id: The message's header ``Message-ID``, where the server reports it.
        is_strict: The check is marked ``strict``: its failure refuses the message.
    """

    event_id: str
    at: datetime
    session: str = ""
    queue_id: int = 0
    queue_name: str = ""
    new_queue_id: int = 0
    listener: str = ""
    remote_ip: str = ""
    remote_port: int = 0
    account: str = ""
    sender: str = ""
    recipients: Sequence[str] = ()
    recipient: str = ""
    hostname: str = ""
    domain: str = ""
    code: int = 0
    text: str = ""
    size: int = 0
    next_retry: datetime | None = None
    expires: datetime | None = None
    message_id: str = ""
    is_strict: bool = False
