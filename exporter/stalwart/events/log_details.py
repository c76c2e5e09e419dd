"""
Parsing of a log line's details: ``key = value`` pairs, those of the event's span first, then the event's own.

Contract: Stalwart v0.10-v0.16, ``details`` of a log line; tests/recordings/rest-0.12.5 and rest-0.15.5, ``/api/logs``.
Strings are in double quotes, and quotes inside them are not escaped. A remote server (in its reply), a sender and a
recipient (in an address) can therefore imitate the server's pairs. So the line is read from left to right, a string
ends at the first quote that is followed by one of the server's keys, and nothing after a text is read; texts come after
the keys that matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.failures import parse_logged_cause
from exporter.stalwart.events.outcomes import STRICT_EVENTS

TEXT_LIMIT = 1024
"""The most characters kept of a text; the server's own words come first."""

MAX_ENDS = 16
"""The most possible ends of a span that are considered; an address is too short to contain that many."""

DEFAULT_QUEUE = "default"

_KEYS = (
    "to|domain|hostname|code|queueId|queueName|localIp|remoteIp|remotePort|id|elapsed|total|strict|version"
    "|nextRetry|nextDsn|expires"
)
_TEXTS = "details|causedBy|reason"
_HEAD = re.compile(r'queueId = (?P<id>[0-9]{1,20}), (?:queueName = "(?P<name>[^"]{1,64})", )?from = "')
_TAIL = re.compile(r"\], size = (?P<size>[0-9]{1,19}), total = [0-9]+(?=, |\Z)")
_RECIPIENTS = '", to = ['
_PAIR = re.compile(
    rf"(?P<key>{_KEYS}) = "
    rf'(?:"(?P<string>[^"]*+(?:"(?!, (?:{_KEYS}|{_TEXTS}) = |\Z)[^"]*+)*+)"|(?P<bare>[^",\[{{]*+))(?:, |\Z)'
)
_TEXT = re.compile(rf"(?:{_TEXTS}) = ")
_STRICT_AT_END = re.compile(r", strict = true(?:, elapsed = [0-9]+ms)?\Z")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}

_SPAN_SAYS_ALL = {"delivery.attempt-start", "delivery.attempt-end", "queue.rescheduled"}
_WITHOUT_TEXT = _SPAN_SAYS_ALL | {"delivery.completed", "delivery.domain-delivery-start", "delivery.null-mx"}


class Span(NamedTuple):
    """
    The delivery attempt that a line belongs to.

    Attributes:
        trusted: Whether sender and recipients are certain.
        own_at: Where the event's own keys begin.
        size: The message's size in bytes.
    """

    queue_id: int
    queue_name: str
    recipients: tuple[str, ...]
    trusted: bool
    own_at: int
    sender: str = ""
    size: int = 0


class _Own(NamedTuple):
    """The event's own pairs, up to the text; `text_at` is where the text begins, -1 if there is none."""

    pairs: Mapping[str, str]
    text_at: int


NO_SPAN = Span(0, DEFAULT_QUEUE, (), True, 0)
_NOTHING = _Own({}, -1)


class DetailsReader:
    """
    A parser for the details of one page of log lines.

    *lines* returns the event id and details of every line. It is called only if a line is ambiguous: other lines of the
    same attempt, which do not end in untrusted text, resolve it.
    """

    def __init__(self, lines: Callable[[], Iterable[tuple[str, str]]] = lambda: ()) -> None:
        self._lines = lines
        self._certain: set[str] | None = None
        self._spans: dict[str, tuple[str, Span]] = {}

    def delivery_event(self, event_id: str, at: datetime, details: str) -> DeliveryEvent | None:
        """Return the event of a line; ``None`` if it is a check that was not ``strict``, which cannot fail delivery."""
        span = self.span(event_id, details)
        own = _NOTHING
        if span.trusted and event_id not in _SPAN_SAYS_ALL:
            own = _parse_own(details, span.own_at) or _NOTHING
        if event_id in STRICT_EVENTS and not _STRICT_AT_END.search(details, span.own_at):
            return None
        text, code = ("", 0) if own.text_at < 0 else _parse_text(details, own.text_at)
        pairs = own.pairs
        return DeliveryEvent(
            event_id=event_id,
            at=at,
            queue_id=span.queue_id or parse_number(pairs.get("queueId", "")),
            queue_name=span.queue_name if span.queue_id else pairs.get("queueName", DEFAULT_QUEUE),
            recipient=pairs.get("to", ""),
            span_recipients=span.recipients,
            domain=pairs.get("domain", ""),
            hostname=pairs.get("hostname", ""),
            code=parse_number(pairs.get("code", "")) or code,
            text=text,
        )

    def span(self, event_id: str, details: str) -> Span:
        """Return the span of a line, `NO_SPAN` if it has none; cached, since the lines of an attempt begin alike."""
        attempt = details[: details.find(', from = "')]
        known = self._spans.get(attempt)
        if known is not None and details.startswith(known[0]) and details[len(known[0]) :][:2] in ("", ", "):
            return known[1]
        head = _HEAD.match(details)
        if head is None:
            return NO_SPAN
        queue_id, queue_name = int(head["id"]), head["name"] or DEFAULT_QUEUE
        tails = list(islice(_TAIL.finditer(details, head.end()), MAX_ENDS))
        ends = [(tail.start(), tail.end()) for tail in tails]
        if not ends:
            return Span(queue_id, queue_name, (), False, len(details))
        start, end = ends[0] if len(ends) == 1 else self._likely(event_id, details, ends)
        size = int(tails[ends.index((start, end))]["size"])
        sender, recipients, trusted = parse_addresses(details[head.end() - 1 : start])
        span = Span(queue_id, queue_name, recipients, trusted, end + 2, sender, size)
        if len(ends) == 1:
            self._spans[attempt] = details[:end], span
        return span

    def _likely(self, event_id: str, details: str, ends: list[tuple[int, int]]) -> tuple[int, int]:
        """Return the most likely of a span's possible ends: one seen in another line, else the first that parses."""
        for start, end in ends:
            if details[:end] in self._certain_spans():
                return start, end
        return next((both for both in ends if _fits(event_id, details, both[1])), ends[0])

    def _certain_spans(self) -> set[str]:
        if self._certain is None:
            self._certain = set()
            for event_id, details in self._lines():
                ends = [tail.end() for tail in _TAIL.finditer(details)] if event_id in _WITHOUT_TEXT else []
                fitting = [end for end in ends if _fits(event_id, details, end)]
                if len(fitting) == 1:
                    self._certain.add(details[: fitting[0]])
        return self._certain


def _fits(event_id: str, details: str, end: int) -> bool:
    """Whether the rest after *end* parses as the event's own pairs."""
    own = _parse_own(details, end + 2)
    return own is not None and not (own.text_at >= 0 and event_id in _WITHOUT_TEXT)


def _parse_own(details: str, at: int) -> _Own | None:
    """Parse the pairs from *at* up to a text or the end; ``None`` if they are not in the server's format."""
    pairs: dict[str, str] = {}
    while at < len(details):
        pair = _PAIR.match(details, at)
        if pair is None:
            text = _TEXT.match(details, at)
            return _Own(pairs, text.end()) if text else None
        string = pair["string"]
        pairs.setdefault(pair["key"], pair["bare"] if string is None else unescaped(string))
        at = pair.end()
    return _Own(pairs, -1)


def _parse_text(details: str, at: int) -> tuple[str, int]:
    """Parse a text, and its reply code or 0; empty if it is a list or another event's cause."""
    if details.startswith('"', at):
        # Only the server's numbers and times follow a text, so the last quote of the line closes it.
        return unescaped(details[at + 1 : max(at + 1, details.rfind('"'))][:TEXT_LIMIT]), 0
    text, code = parse_logged_cause(details[at : at + TEXT_LIMIT])
    return unescaped(text), code


def parse_addresses(addresses: str) -> tuple[str, tuple[str, ...], bool]:
    """
    Parse ``"sender", to = ["recipient", ...`` without the final bracket.

    Returns the sender, the recipients, and false if an address imitates the server's format; both are empty then.
    """
    sender, *lists = addresses.split(_RECIPIENTS)
    if len(lists) != 1:
        return "", (), False
    sender = unescaped(sender[1:])
    if not lists[0]:
        return sender, (), True
    recipients = lists[0][1:-1].split('", "')
    if not lists[0].startswith('"') or not lists[0].endswith('"') or lists[0].count('"') != 2 * len(recipients):
        return "", (), False
    return sender, tuple(map(unescaped, recipients)), True


def unescaped(text: str) -> str:
    """Return a string of the log as it was before it was written."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), text)


def parse_number(digits: str) -> int:
    """Return a number of the log; 0 if it is not one."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else 0
