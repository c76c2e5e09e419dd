"""
A stream of traces without its repetitions.

Contract: Stalwart v0.16, Enterprise, ``GET /api/live/tracing``: every frame begins with all that the frames before it
have told since the stream was opened, and after half a minute in which nothing happened the whole is sent once more.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from exporter.clock import Clock
from exporter.errors import TargetError, TargetServerError
from exporter.stalwart.streams.stream import EventStream, RenewalDue

REPEATED_BYTES = 4 * 1024 * 1024
"""
A stream that has repeated so much is opened anew.

Repetitions grow with the square of the time: after t seconds of r bytes each they are r * t * t / 2. To open a stream
costs two requests, and some more for the stored traces of the moment without it. With four megabytes a quiet server
(300 bytes a second) is asked anew every three minutes and repeats 25 kB a second meanwhile, a busy one (10 kB a second)
every half a minute and 140 kB a second. A bound on the size of one frame would be lax with the quiet one, which would
repeat half a frame a second for an hour, and hard on the busy one.
"""

LARGEST_FRAME_BYTES = 8 * 1024 * 1024
"""The same for a single frame, however young its stream: twice as much ends a stream."""

RENEWAL_SECONDS = 20.0
"""From one opening to the next at least: six requests a minute, of the 55 that a server is asked."""

_NOTHING = b"[]"


class Repetition:
    """
    Cuts from each message what those before it have told.

    Attributes:
        repeated_bytes: How much that was so far.
        known_bytes: How much the next message will repeat.
    """

    def __init__(self) -> None:
        self.repeated_bytes = 0
        self._known = b"["  # The last message without its final bracket.

    @property
    def known_bytes(self) -> int:
        return len(self._known)

    def take(self, message: bytes, label: str) -> bytes:
        """
        What is new in *message*, in the same form; what is no array of events comes back as it is.

        Raises `TargetServerError` if it does not begin with what is known: then nothing of it can be told from that.
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
    """The same, for a server that writes equal events in other words."""
    try:
        known, told = (msgspec.json.decode(text, type=list[msgspec.Raw]) for text in (before, message))
        repeats = len(told) >= len(known) and all(map(_equal, known, told))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        repeats = False
    if not repeats:
        raise TargetServerError(f"{label}: a message that does not repeat the stream so far")
    return b"[" + b",".join(told[len(known) :]) + b"]"


def _equal(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    return bool(one == other or msgspec.json.decode(one) == msgspec.json.decode(other))


class RepeatingStream:
    """
    The `EventStream` of a server that repeats itself.

    A message that does not continue those before it ends the stream like a cut, after those have been handed on.
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
        """What is new; raises `RenewalDue` once the repetitions have become too dear."""
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
        """Ends the stream and its connection."""
        await self._stream.aclose()

    def _check_cost(self) -> None:
        early = self._opened_at + self._renewal_seconds - self._clock.monotonic()
        dear = self._repetition.repeated_bytes >= self._repeated_bytes and early <= 0
        if dear or self._repetition.known_bytes >= LARGEST_FRAME_BYTES:
            raise RenewalDue(wait_seconds=max(0.0, early))
