"""
A decoder for Server-Sent Events.

Contract: the WHATWG HTML standard, "Server-sent events"; Stalwart v0.10-v0.16, live endpoints;
tests/recordings/rest-0.15.5/sse-delivery-probe.http.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.errors import PayloadError

BOM = b"\xef\xbb\xbf"
LF, COLON = 0x0A, 0x3A
MAX_BYTES = 16 * 1024 * 1024
"""A larger event ends the stream; the server's frames hold what happened within a second."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """
    One event.

    Attributes:
        name: Its ``event`` field, ``message`` if it has none.
        data: Its ``data`` lines, joined by line feeds, undecoded.
    """

    name: str
    data: bytes


class SseDecoder:
    """
    A decoder from the bytes of a stream to its events, independent of how the network splits them.

    Lines end in LF, CR LF or CR, and comments are ignored. Lines are split as bytes, since U+2028 and the like are
    ordinary characters. An event cut off by the end of the stream is dropped, as the standard requires.
    """

    def __init__(self, *, most_bytes: int = MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._parts: list[bytes] = []
        self._held_bytes = 0
        self._begun = False
        self._after_cr = False
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that *chunk* completes. Raises `PayloadError` for an event above the size limit."""
        if self._after_cr and chunk:
            # The line feed of a CR LF whose CR ended the previous chunk.
            chunk, self._after_cr = chunk.removeprefix(b"\n"), False
        events: list[SseEvent] = []
        if self._parts and self._begun and _line_end(chunk, 0) < 0:
            self._hold(chunk)
            return events
        text, searched = b"".join([*self._parts, chunk]) if self._parts else chunk, self._held_bytes
        self._parts, self._held_bytes = [], 0
        at = self._begin(text)
        end = _line_end(text, max(at, searched))
        while end >= 0:
            event = self._take(text, at, end)
            if event is not None:
                events.append(event)
            at = self._skip_line_end(text, end)
            end = _line_end(text, at)
        self._hold(text[at:])
        return events

    def _hold(self, part: bytes) -> None:
        """Keep an incomplete line, in parts, so that a long line is not copied with each chunk."""
        if part:
            self._parts.append(part)
            self._held_bytes += len(part)
        if self._held_bytes + self._data_bytes > self._most_bytes:
            raise PayloadError(f"an event of more than {self._most_bytes} bytes")

    def _begin(self, text: bytes) -> int:
        """Return where the first line begins: after the byte order mark, which may be incomplete."""
        if self._begun or (len(text) < len(BOM) and BOM.startswith(text)):
            return 0
        self._begun = True
        return len(BOM) if text.startswith(BOM) else 0

    def _skip_line_end(self, text: bytes, end: int) -> int:
        """Return where the next line begins."""
        if text[end] == LF:
            return end + 1
        self._after_cr = end + 1 == len(text)
        return end + 2 if text.startswith(b"\n", end + 1) else end + 1

    def _take(self, text: bytes, at: int, end: int) -> SseEvent | None:
        """Process the line between *at* and *end*; return the event that it completes, if any."""
        if at == end:
            return self._dispatch()
        if (value_at := _value_at(text, b"data", at, end)) >= 0:
            self._data_bytes += end - value_at + 1
            if self._data_bytes > self._most_bytes:
                raise PayloadError(f"an event of more than {self._most_bytes} bytes")
            self._data.append(text[value_at:end])
        elif (value_at := _value_at(text, b"event", at, end)) >= 0:
            self._name = text[value_at:end].decode("utf-8", "replace")
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._name or "message", b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._data_bytes = "", [], 0
        return event


def _line_end(text: bytes, at: int) -> int:
    """Return where the line at *at* ends; negative if its end has not arrived."""
    feed = text.find(b"\n", at)
    carriage = text.find(b"\r", at, None if feed < 0 else feed)
    return carriage if carriage >= 0 else feed


def _value_at(text: bytes, field: bytes, at: int, end: int) -> int:
    """Return where the value of *field* begins in a line; negative if it is a line of another field."""
    if not text.startswith(field, at, end):
        return -1
    at += len(field)
    if at == end:
        return end  # A field without a colon has an empty value.
    if text[at] != COLON:
        return -1
    return at + 2 if text.startswith(b" ", at + 1, end) else at + 1
