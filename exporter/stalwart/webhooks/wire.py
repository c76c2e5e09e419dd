"""
The events in the body of a post, split while the body is read.

Contract: Stalwart v0.10-v0.16, ``{"events":[{"id","createdAt","type","data"}, ...]}``; as recorded from v0.15.5 and
v0.16.18. A body has up to 50 MB, so it is decoded in slices between two events. The bytes that separate events cannot
be part of a string, where quotes are escaped, but of a nested list: a slice that cannot be decoded alone is decoded
together with the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from exporter.errors import PayloadError
from exporter.stalwart.http.responses import decoding_problem

SLICE_BYTES = 64 * 1024
MAX_SLICE_BYTES = 16 * 1024 * 1024
"""The most bytes that are decoded at once, if they cannot be split; a longer event is refused."""

_SEPARATOR = b'},{"id":'
_BETWEEN = 2
_DIGEST_BYTES = 8


class WireEvent(msgspec.Struct):
    """One event as posted; *created_at* is the time at which the server collected it, in whole seconds."""

    type: str
    created_at: str = msgspec.field(name="createdAt")
    data: Any = None

    def digest(self) -> bytes:
        """Return a checksum of all that a repetition of this event has in common with it: not its id."""
        data = msgspec.json.encode([self.type, self.created_at, self.data], order="sorted")
        return blake2b(data, digest_size=_DIGEST_BYTES).digest()


class _Body(msgspec.Struct):
    events: list[WireEvent]


_EVENTS = msgspec.json.Decoder(list[WireEvent])
_WHOLE = msgspec.json.Decoder(_Body)


class EventSplitter:
    """Decodes the events of one body, which is fed in pieces."""

    def __init__(self) -> None:
        self._head: bytes | None = None
        self._rest = bytearray()
        self._tried = 0

    def feed(self, piece: bytes) -> Iterator[Sequence[WireEvent]]:
        """
        Yield the events that are complete after *piece*, in slices of about `SLICE_BYTES`.

        Raises `PayloadError`.
        """
        for at in range(0, len(piece), SLICE_BYTES):
            self._rest += piece[at : at + SLICE_BYTES]
            if len(self._rest) < SLICE_BYTES:
                continue
            events = self._decode_slice()
            if events:
                yield events
            elif len(self._rest) > MAX_SLICE_BYTES:
                raise PayloadError("an event that is too long, or a body in another form")

    def finish(self) -> Sequence[WireEvent]:
        """Return the last events; raises `PayloadError` if the body is incomplete or not in the expected form."""
        head = self._head if self._head is not None else b""
        return _decoded(_WHOLE, head + bytes(self._rest)).events

    def _decode_slice(self) -> Sequence[WireEvent]:
        if self._head is None:
            start = self._rest.find(b"[")
            if start < 0 or self._rest[: start + 1].replace(b" ", b"") != b'{"events":[':
                return ()  # Decoded as a whole at the end.
            self._head = bytes(self._rest[: start + 1])
            del self._rest[: start + 1]
        if len(self._rest) < 2 * self._tried:
            return ()
        cut = self._rest.rfind(_SEPARATOR)
        if cut < 0:
            self._tried = len(self._rest)
            return ()
        try:
            events = _EVENTS.decode(b"[" + bytes(self._rest[: cut + 1]) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._tried = len(self._rest)
            return ()
        self._tried = 0
        del self._rest[: cut + _BETWEEN]
        return events


def _decoded(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error)) from error
