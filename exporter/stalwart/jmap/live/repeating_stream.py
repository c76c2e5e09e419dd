"""
Removal of the repetitions in a trace stream.

Contract: Stalwart v0.16, Enterprise, ``GET /api/live/tracing``: every frame begins with all events since the stream was
opened, and after half a minute without events the whole is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from exporter.clock import Clock
from exporter.errors import TargetError, TargetServerError
from exporter.stalwart.streams.stream import EventStream, RenewalDue

REPEATED_BYTES = 4 * 1024 * 1024
"""
A stream that has repeated this much is reopened.

Repetitions grow with the square of the time: after t seconds of r bytes per second they are r * t * t / 2. Reopening a
stream costs two requests, and some more for the stored traces of the gap. With four megabytes, the stream of a quiet
server (300 bytes per second) is reopened every three minutes and repeats 25 kB per second, that of a busy one (10 kB
per second) every half minute and 140 kB per second. A limit on the size of a frame would be too high for the quiet
server, which would repeat half a frame per second for an hour, and too low for the busy one.
"""

LARGEST_FRAME_BYTES = 8 * 1024 * 1024
"""The limit of a single frame, regardless of the stream's age; a frame of twice this size ends the stream."""

RENEWAL_SECONDS = 20.0
"""The shortest time between two openings: six requests per minute, of the 55 that are allowed."""

_NOTHING = b"[]"


class Repetition:
    """
    Removes from each message what earlier ones contained.

    Attributes:
        repeated_bytes: The bytes removed so far.
        known_bytes: The bytes that the next message will repeat.
    """

    def __init__(self) -> None:
        self.repeated_bytes = 0
        self._known = b"["  # The last message without its final bracket.

    @property
    def known_bytes(self) -> int:
        return len(self._known)

    def take(self, message: bytes, label: str) -> bytes:
        """
        Return the new events of *message* as an array; a message that is not an array is returned unchanged.

        Raises `TargetServerError` if it does not begin with the known events, since new ones cannot be distinguished.
        """
        message = message.strip()
        if not message.startswith(b"["):
            return message
        before, self._known = self._known, message[:-1]
        if len(before) == 1:
            return message
        self.repeated_bytes += min(len(before), len(message))
        if message.startswith(before):
            after = message[len(before) :]
            if after == b"]":
                return _NOTHING
            if after.startswith(b","):
                return b"[" + after[1:]
        return _new_events(before + b"]", message, label)


def _new_events(before: bytes, message: bytes, label: str) -> bytes:
    """Return the new events by comparing parsed ones, for a server that serialises equal events differently."""
    try:
        known, current = (msgspec.json.decode(text, type=list[msgspec.Raw]) for text in (before, message))
        repeats = len(current) >= len(known) and all(map(_equal, known, current))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        repeats = False
    if not repeats:
        raise TargetServerError(f"{label}: a message that does not repeat the stream so far")
    return b"[" + b",".join(current[len(known) :]) + b"]"


def _equal(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    return bool(one == other or msgspec.json.decode(one) == msgspec.json.decode(other))


class RepeatingStream:
    """
    The `EventStream` of a server that repeats events.

    A message that does not continue the earlier ones ends the stream like an interruption, once these were returned.
    """

    def __init__(
        self,
        stream: EventStream,
        *,
        label: str,
        clock: Clock,
        repeated_bytes: int = REPEATED_BYTES,
        renewal_seconds: float = RENEWAL_SECONDS,
    ) -> None:
        self.transport = stream.transport
        self._stream = stream
        self._label = label
        self._clock = clock
        self._repeated_bytes = repeated_bytes
        self._renewal_seconds = renewal_seconds
        self._opened_at = clock.monotonic()
        self._repetition = Repetition()
        self._broken: TargetError | None = None

    async def receive(self) -> Sequence[bytes]:
        """Return the new events; raises `RenewalDue` once the repetitions have become too expensive."""
        if self._broken is not None:
            raise self._broken
        self._check_cost()
        new: list[bytes] = []
        for message in await self._stream.receive():
            try:
                new.append(self._repetition.take(message, self._label))
            except TargetServerError as error:
                self._broken = error
                if not new:
                    raise
                break
        return new

    async def aclose(self) -> None:
        """Close the stream and its connection."""
        await self._stream.aclose()

    def _check_cost(self) -> None:
        early = self._opened_at + self._renewal_seconds - self._clock.monotonic()
        expensive = self._repetition.repeated_bytes >= self._repeated_bytes and early <= 0
        if expensive or self._repetition.known_bytes >= LARGEST_FRAME_BYTES:
            raise RenewalDue(wait_seconds=max(0.0, early))
