"""
Server-Sent Events, taken apart.

Contract: the WHATWG HTML standard, "Server-sent events"; Stalwart v0.10-v0.16, live endpoints;
tests/recordings/rest-0.15.5/sse-delivery-probe.http.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.errors import PayloadError

BOM = b"\xef\xbb\xbf"
MOST_BYTES = 16 * 1024 * 1024
"""An event that is larger ends the stream: the server's own frames are bounded by what happens in a second."""


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
    Turns the bytes of a stream into events, however the network cuts them.

    Lines end in LF, CR LF or CR; comments count as life and as nothing else. U+2028 and its like are ordinary
    characters, which is why lines are cut as bytes. An event that the stream's end cuts off is dropped, as the standard
    demands.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rest = bytearray()
        self._searched = 0
        self._begun = False
        self._after_cr = False
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that *chunk* completes. Raises `PayloadError` for an event past the size limit."""
        self._rest += chunk
        if not self._begun and not self._skip_bom():
            return []
        events: list[SseEvent] = []
        while (line := self._next_line()) is not None:
            event = self._take(line)
            if event is not None:
                events.append(event)
        if len(self._rest) + self._data_bytes > self._most_bytes:
            raise PayloadError(f"an event of more than {self._most_bytes} bytes")
        return events

    def _skip_bom(self) -> bool:
        """Whether the beginning is known: a mark of three bytes may come in pieces."""
        if len(self._rest) < len(BOM) and BOM.startswith(self._rest):
            return False
        if self._rest.startswith(BOM):
            del self._rest[: len(BOM)]
        self._begun = True
        return True

    def _next_line(self) -> bytes | None:
        rest = self._rest
        if self._after_cr and rest:
            # The line feed of a CR LF whose CR ended the line before it.
            if rest[0] == 0x0A:
                del rest[:1]
            self._after_cr = False
        feed = rest.find(b"\n", self._searched)
        carriage = rest.find(b"\r", self._searched, None if feed < 0 else feed)
        end = carriage if carriage >= 0 else feed
        if end < 0:
            self._searched = len(rest)
            return None
        line = bytes(rest[:end])
        self._after_cr = end == carriage
        del rest[: end + 1]
        self._searched = 0
        return line

    def _take(self, line: bytes) -> SseEvent | None:
        if not line:
            return self._dispatch()
        name, colon, value = line.partition(b":")
        if colon and value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._most_bytes:
                raise PayloadError(f"an event of more than {self._most_bytes} bytes")
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._name or "message", b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._data_bytes = "", [], 0
        return event
