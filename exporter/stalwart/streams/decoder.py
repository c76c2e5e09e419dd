"""
Decoding of live stream messages, as far as both generations share the format.

A message is an array of events or metrics, or an object with an ``interval`` (milliseconds), sent as a heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from exporter.errors import PayloadError
from exporter.model.live import Heartbeat, LiveEvents, LiveMessage, RepeatedEvents, UnreadableMessage
from exporter.model.telemetry import ServerTotals
from exporter.stalwart.http.responses import decode_response

T = TypeVar("T")


class _Ping(msgspec.Struct):
    interval: Annotated[float, msgspec.Meta(ge=0, le=86_400_000)]


_ping_decoder = msgspec.json.Decoder(_Ping)


def decode_frame(decoder: msgspec.json.Decoder[list[T]], message: bytes) -> list[T] | Heartbeat:
    """Decode *message*, an array by *decoder*. Raises `PayloadError` with the path of the faulty member."""
    if message[:64].lstrip()[:1] == b"{":
        return Heartbeat(decode_response(_ping_decoder, message).interval / 1000)
    return decode_response(decoder, message)


class StreamDecoder:
    """
    A decoder for the messages of one stream, in order of arrival.

    *decode* parses the generation's format. *event_key* is a text that occurs exactly once per event and never inside a
    string; if it is empty, each message counts as one event.
    """

    def __init__(
        self, decode: Callable[[bytes], ServerTotals | LiveEvents | Heartbeat], *, event_key: bytes = b""
    ) -> None:
        self._decode = decode
        self._event_key = event_key
        self._last_message = b""  # Kept only if it contained delivery events.

    def decode(self, message: bytes) -> LiveMessage:
        """
        Return the content of *message*.

        One that cannot be decoded is an `UnreadableMessage`, and one that equals the last, `RepeatedEvents`.
        """
        try:
            content = self._decode(message)
        except PayloadError as error:
            return UnreadableMessage(str(error))
        if not isinstance(content, LiveEvents):
            return content
        if content.events and message == self._last_message:
            # Genuinely equal messages would need two attempts on one queued message within a second.
            return RepeatedEvents(content.received)
        self._last_message = message if content.events else b""
        return content

    def count_events(self, message: bytes) -> int:
        """Return the number of events in *message* without decoding it."""
        return message.count(self._event_key) if self._event_key else 1
