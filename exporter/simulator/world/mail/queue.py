"""Queued messages and their recipients, and the queue that holds them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from exporter.simulator.world.mail.failures import Failure, Reply

StatusKind = Literal["scheduled", "completed", "temp_fail", "perm_fail"]


@dataclass(slots=True)
class Recipient:
    """
    One address of a message.

    Attributes:
        next_notify: Time of the next delay notice; None if none will follow.
        expires: None if `max_attempts` applies instead.
        reported: Whether its final status was reported, which happens once.
    """

    address: str
    queue: str
    next_retry: float
    next_notify: float | None
    expires: float | None
    max_attempts: int | None = None
    orcpt: str | None = None
    status: StatusKind = "scheduled"
    reply: Reply | None = None
    host: str = ""
    failure: Failure | None = None
    retry_num: int = 0
    notices: int = 0
    reported: bool = False

    @property
    def domain(self) -> str:
        """The domain part, in lower case."""
        return self.address.rpartition("@")[2].lower()

    @property
    def pending(self) -> bool:
        """Whether it is still to be delivered."""
        return self.status in ("scheduled", "temp_fail")

    def is_expired(self, now: float) -> bool:
        """Return whether its time, or its number of attempts, is used up."""
        if self.max_attempts is not None:
            return self.retry_num >= self.max_attempts
        return self.expires is not None and self.expires <= now


@dataclass(slots=True)
class Message:
    """
    A message in the queue.

    Attributes:
        return_path: Empty for bounces.
        source: A key of `spool.SOURCES`: the origin of the message.
        via_port: The port it was received on; 0 for messages of the server itself.
    """

    queue_id: int
    return_path: str
    recipients: list[Recipient]
    created: float
    size: int
    blob_hash: str
    priority: int = 0
    env_id: str | None = None
    source: str = "authenticated"
    from_ip: str = "127.0.0.1"
    via_port: int = 0
    locked: set[str | None] = field(default_factory=set)

    def pending(self, queue: str | None = None) -> list[Recipient]:
        """Return the recipients still to be delivered, of one virtual queue if given."""
        return [r for r in self.recipients if r.pending and (queue is None or r.queue == queue)]

    def next_delivery(self, queue: str | None = None) -> float | None:
        """Return the earliest next attempt; None without pending recipients."""
        return min((r.next_retry for r in self.pending(queue)), default=None)

    def next_notice(self) -> float | None:
        """Return the earliest delay notice; None if none will follow."""
        return min((r.next_notify for r in self.pending() if r.next_notify is not None), default=None)

    def next_event(self, queue: str | None = None) -> float | None:
        """Return when the server must next process it: for an attempt, a notice or an expiry."""
        return min(
            (
                moment
                for r in self.pending(queue)
                for moment in (r.next_retry, r.next_notify, r.expires)
                if moment is not None
            ),
            default=None,
        )

    def first_expiry(self) -> float | None:
        """Return the earliest expiry; None if only attempts are counted."""
        return min((r.expires for r in self.pending() if r.expires is not None), default=None)


class Queue:
    """
    Messages by ascending id, and their due times.

    Attributes:
        virtual: Whether each virtual queue is attempted separately; up to v0.12 there is one queue.
        running: False while paused; the real server keeps this in memory, so it is true after each start.
        asleep: Resumed, but waiting for a queue event: a new message, or a retry.
    """

    def __init__(self, *, virtual: bool) -> None:
        self.virtual = virtual
        self.messages: dict[int, Message] = {}
        self.running = True
        self.asleep = False
        self._due: list[tuple[float, int, str]] = []

    def add(self, message: Message) -> None:
        """Add a message and record its due time."""
        self.messages[message.queue_id] = message
        self.wake()
        self.note_due(message)

    def put_back(self, message: Message) -> None:
        """Write back a message after an attempt, even if it was removed meanwhile."""
        self.messages[message.queue_id] = message
        self.note_due(message)

    def remove(self, queue_id: int) -> None:
        """Remove a message; unknown ids are ignored."""
        self.messages.pop(queue_id, None)

    def wake(self) -> None:
        """Note a queue event, which ends the sleep after a pause."""
        self.asleep = False

    def note_due(self, message: Message) -> None:
        """Record when each virtual queue must process a message."""
        for name in {r.queue for r in message.pending()} if self.virtual else {""}:
            due = message.next_event(name or None)
            if due is not None:
                heapq.heappush(self._due, (due, message.queue_id, name))

    def next_due(self) -> float | None:
        """Return the earliest due time; None if there is none, or the queue is paused."""
        return self._due[0][0] if self._due and self.running and not self.asleep else None

    def take_due(self, now: float) -> tuple[Message, str | None] | None:
        """Return the next message to attempt and its virtual queue; None if nothing is due at `now`."""
        while self.running and not self.asleep and self._due and self._due[0][0] <= now:
            due, queue_id, name = heapq.heappop(self._due)
            message = self.messages.get(queue_id)
            queue = name or None
            if message is not None and queue not in message.locked and message.next_event(queue) == due:
                return message, queue
        return None

    def unlock_all(self) -> None:
        """Unlock the messages being attempted, as a restart does, and recompute all due times."""
        self._due.clear()
        for message in self.messages.values():
            message.locked.clear()
            self.note_due(message)

    def ordered(self) -> Iterator[Message]:
        """Yield messages by ascending id."""
        for queue_id in sorted(self.messages):
            yield self.messages[queue_id]

    def recipients_by_status(self) -> dict[StatusKind, int]:
        """Return the number of recipients by status."""
        counts: dict[StatusKind, int] = {}
        for message in self.messages.values():
            for recipient in message.recipients:
                counts[recipient.status] = counts.get(recipient.status, 0) + 1
        return counts
