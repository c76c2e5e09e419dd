"""
The messages of a live stream before it is known what is in them, whichever generation sends them.

An array tells something; an object with an ``interval`` (milliseconds) says that nothing happened.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from exporter.model.live import Heartbeat
from exporter.stalwart.http.responses import decode_answer

T = TypeVar("T")


class _Ping(msgspec.Struct):
    interval: Annotated[float, msgspec.Meta(ge=0, le=86_400_000)]


_ping_decoder = msgspec.json.Decoder(_Ping)


def decode_frame(decoder: msgspec.json.Decoder[list[T]], message: bytes) -> list[T] | Heartbeat:
    """What *decoder* makes of the array. Raises `PayloadError` with the path of what cannot be read."""
    if message[:64].lstrip()[:1] == b"{":
        return Heartbeat(decode_answer(_ping_decoder, message).interval / 1000)
    return decode_answer(decoder, message)
