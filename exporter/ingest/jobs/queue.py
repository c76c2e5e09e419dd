"""The queue collectors: waiting recipients, recipients in failure, and outgoing reports."""

from __future__ import annotations

from dataclasses import replace

from exporter.errors import TargetError, TargetServerError, TargetUnsupported
from exporter.model.queue import QueueSnapshot, RecipientStatus
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard

STATUS_RECHECK_POLLS = 120
"""Queue polls between two requests for a queue status that the server did not report: one hour's."""


def fresh_seconds(interval_seconds: float) -> float:
    """Return how long a snapshot is exposed that is renewed every *interval_seconds*."""
    return max(90.0, 3.0 * interval_seconds)


class QueueJob:
    """Walks the queue and publishes its sums."""

    def __init__(self, board: ServerBoard, *, max_messages: int, interval_seconds: float) -> None:
        self._board = board
        self._max_messages = max_messages
        self._fresh_seconds = fresh_seconds(interval_seconds)
        self._status_silent_for = 0

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        snapshot = await client.fetch_queue(max_messages=self._max_messages)
        if snapshot.running is None:
            snapshot = _with_running(snapshot, await self._ask_running(client))
        else:
            self._board.set_capability(Capability.QUEUE_STATUS, CapabilityStatus.AVAILABLE)
        self._board.count_unknown(snapshot.unknown)
        self._board.publish(Part.QUEUE, snapshot, fresh_seconds=self._fresh_seconds)

    async def _ask_running(self, client: StalwartClient) -> bool | None:
        """Request the queue status separately; up to v0.10 the list lacks it, and so does this endpoint."""
        if self._status_silent_for > 0:
            self._status_silent_for -= 1
            return None
        try:
            running = await client.fetch_queue_running()
        except TargetError as error:
            if error.reason == "forbidden":
                self._board.set_capability(Capability.QUEUE_STATUS, CapabilityStatus.FORBIDDEN)
            running = None
        else:
            found = CapabilityStatus.UNSUPPORTED if running is None else CapabilityStatus.AVAILABLE
            self._board.set_capability(Capability.QUEUE_STATUS, found)
        if running is None:
            self._status_silent_for = STATUS_RECHECK_POLLS
        return running


def _with_running(snapshot: QueueSnapshot, running: bool | None) -> QueueSnapshot:
    return replace(snapshot, running=running)


class FailedJob:
    """
    Counts the recipients in failure by their own status, from the pages of the queue poll.

    Servers ignore ``filter=status:failed`` and return the whole queue, so a request would make them read twice what the
    queue poll has just read.
    """

    def __init__(self, board: ServerBoard, *, interval_seconds: float) -> None:
        self._board = board
        self._fresh_seconds = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """Count once; makes no request."""
        queue = self._board.queue
        if queue is None:
            trouble = self._board.collectors["queue"]
            if trouble.off:
                raise TargetUnsupported(f"the queue is off: {trouble.off}")
            raise TargetServerError(trouble.error or "the queue has not been read yet")
        failing = {"temporary": 0, "permanent": 0}
        for (_, status), count in queue.recipients.items():
            if status is RecipientStatus.TEMPORARY_FAILURE:
                failing["temporary"] += count
            elif status is RecipientStatus.PERMANENT_FAILURE:
                failing["permanent"] += count
        self._board.publish(Part.FAILED, failing, fresh_seconds=self._fresh_seconds)


class OutgoingJob:
    """Counts the outgoing reports that wait to be sent."""

    def __init__(self, board: ServerBoard, *, interval_seconds: float) -> None:
        self._board = board
        self._fresh_seconds = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        reports = await client.fetch_outgoing_reports()
        self._board.publish(Part.OUTGOING, reports, fresh_seconds=self._fresh_seconds)
