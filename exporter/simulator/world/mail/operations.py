"""
What operators do to the queue, with what their release makes of it.

- v0.13.0 to v0.16.8 accept the change of single recipients and drop it outside of a virtual queue named `default`.
- v0.11 to v0.16.12 do not wake after a pause, and the bulk deletion pauses meanwhile.
- Up to v0.12 a retry concerns a domain, and shortens its expiry to ten seconds after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from exporter.simulator.world.context import Context
from exporter.simulator.world.mail.delivery_attempt import opening
from exporter.simulator.world.mail.failures import Failure
from exporter.simulator.world.mail.queue import Message, Queue, Recipient
from exporter.simulator.world.values import Duration

Choice = Callable[[Recipient], bool]

EXPIRY_AFTER_RETRY_SECONDS = 10
ATTEMPTS_AFTER_RETRY = 10


def everybody(_: Recipient) -> bool:
    """Choose every recipient."""
    return True


class Operations:
    """Changes of the queue by operators."""

    def __init__(self, context: Context, queue: Queue) -> None:
        self._context = context
        self._queue = queue

    def retry(self, queue_id: int, chosen: Choice, at: float, *, keeps_expiry: bool = False) -> bool:
        """Schedule an attempt at `at`; return whether a recipient is chosen that is still to be delivered."""
        message = self._queue.messages.get(queue_id)
        found = [r for r in message.pending() if chosen(r)] if message is not None else []
        if message is None or not found:
            return False
        changed = [recipient for recipient in found if self._obeys(recipient)]
        for recipient in changed:
            recipient.next_retry = at
            if not keeps_expiry:
                self._shorten(recipient, at)
        if not changed:
            self._attempt_nothing(message)
        self._queue.wake()
        self._queue.note_due(message)
        return True

    def cancel(self, queue_id: int, chosen: Choice | None) -> bool:
        """
        Remove a message without notice, or fail the chosen recipients, even those that were delivered.

        Returns whether anything was chosen. A message with nobody left to deliver to is removed on every release.
        """
        message = self._queue.messages.get(queue_id)
        if message is None:
            return False
        found = message.recipients if chosen is None else [r for r in message.recipients if chosen(r)]
        if chosen is None or not [r for r in message.pending() if r not in found]:
            if found:
                self._queue.remove(queue_id)
            return bool(found)
        for recipient in found:
            if self._obeys(recipient):
                recipient.status = "perm_fail"
                recipient.failure = Failure(
                    reason="io_error", entity="localhost", permanent=True, detail="Delivery canceled."
                )
        return bool(found)

    def rearm(self, queue_id: int, chosen: Choice) -> None:
        """Make failed recipients ready for another attempt, without a second notice."""
        message = self._queue.messages.get(queue_id)
        for recipient in message.recipients if message is not None else ():
            if chosen(recipient) and recipient.status == "perm_fail" and self._obeys(recipient):
                recipient.status, recipient.failure = "scheduled", None

    def bulk_cancel(self, queue_ids: Collection[int]) -> bool:
        """Remove several messages; more than one leaves the queue asleep, unless it is paused."""
        removed = [self.cancel(queue_id, None) for queue_id in queue_ids]
        if len(removed) > 1 and self._context.profile.sleeps_after_pause:
            self._queue.asleep = True
        return any(removed)

    def pause(self) -> bool:
        """Stop processing the queue; return whether it was running."""
        was_running, self._queue.running = self._queue.running, False
        return was_running

    def resume(self) -> bool:
        """Process the queue again, which may wait for the next queue event; return whether it was running."""
        was_running, self._queue.running = self._queue.running, True
        if not was_running and self._context.profile.sleeps_after_pause:
            self._queue.asleep = True
        return was_running

    def _obeys(self, recipient: Recipient) -> bool:
        return recipient.queue == "default" or not self._context.profile.ignores_recipients

    def _shorten(self, recipient: Recipient, at: float) -> None:
        if self._context.profile.nested_queue:
            recipient.expires, recipient.max_attempts = at + EXPIRY_AFTER_RETRY_SECONDS, None
        else:
            recipient.expires, recipient.max_attempts = None, recipient.retry_num + ATTEMPTS_AFTER_RETRY

    def _attempt_nothing(self, message: Message) -> None:
        """Count the empty attempt that follows an ignored retry."""
        span = self._context.open_span("delivery.attempt-start", opening(message, None))
        self._context.close_span("delivery.attempt-end", span, {"elapsed": Duration(0)})
