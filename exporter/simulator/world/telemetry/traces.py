"""Stored spans: ended sessions and delivery attempts that an Enterprise server keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.events import Event, Span
from exporter.simulator.world.telemetry.snowflake import created_at
from exporter.simulator.world.values import keys_to_json, rfc3339

MAX_SPANS = 50_000
MAX_EVENTS = 2048
DAY_SECONDS = 86_400
KEPT_FAMILIES = frozenset(
    {
        *("smtp", "delivery", "queue", "auth", "security", "limit", "message-ingest", "sieve", "milter", "mta-hook"),
        *("mta-sts", "tls-rpt", "dane", "tls", "iprev", "spf", "dkim", "dmarc", "mail-auth"),
        *("incoming-report", "outgoing-report"),
    }
)
VALUES_EVENTS = ("delivery.attempt-start", "queue.queue-message", "queue.queue-message-authenticated")
SEARCHED_KEYS = ("from", "to", "domain", "hostname", "remoteIp")


def event_to_json(event: Event) -> dict[str, Any]:
    """Return one event as `/api/telemetry/trace/{id}` shows it: without the keys of its span."""
    return {
        **catalog.describe(event.event_id),
        "createdAt": rfc3339(event.time),
        "type": event.event_id,
        "data": keys_to_json(event.keys),
    }


class TraceStore:
    """Ended spans by id; beyond `MAX_SPANS` the oldest are dropped."""

    def __init__(self) -> None:
        self._spans: dict[int, Span] = {}

    def add(self, span: Span) -> None:
        """Store an ended span, if it is about a queued message."""
        if any("queueId" in event.keys for event in span.events):
            span.events = [event for event in span.events if event.event_id.partition(".")[0] in KEPT_FAMILIES]
            del span.events[MAX_EVENTS:]
            self._spans[span.span_id] = span
            while len(self._spans) > MAX_SPANS:
                del self._spans[next(iter(self._spans))]

    def spans(self) -> list[Span]:
        """Return every span, ascending by id."""
        return sorted(self._spans.values(), key=lambda span: span.span_id)

    def span(self, span_id: int) -> Span | None:
        """Return a span by its id."""
        return self._spans.get(span_id)

    def __len__(self) -> int:
        return len(self._spans)

    def get(self, span_id: int) -> list[dict[str, Any]]:
        """Return the events of a span in order; empty if it is unknown."""
        span = self._spans.get(span_id)
        return [event_to_json(event) for event in span.events] if span is not None else []

    def search(
        self,
        *,
        opening: str | None = None,
        queue_id: int | None = None,
        words: Iterable[str] = (),
        after: float | None = None,
        before: float | None = None,
    ) -> list[int]:
        """Return the ids of matching spans, newest first; times are exclusive."""
        wanted = tuple(words)
        return sorted(
            (
                span.span_id
                for span in self._spans.values()
                if (opening is None or span.events[0].event_id == opening)
                and (queue_id is None or any(event.keys.get("queueId") == queue_id for event in span.events))
                and (not wanted or has_words(span, wanted))
                and (after is None or created_at(span.span_id) > after)
                and (before is None or created_at(span.span_id) < before)
            ),
            reverse=True,
        )

    def summary(self, span_id: int) -> dict[str, Any] | None:
        """Return the event that the `values` list shows for a span; None leaves the span out."""
        for event in self._spans[span_id].events:
            if event.event_id in VALUES_EVENTS:
                data = keys_to_json(event.keys) | {"spanId": span_id}
                return {"createdAt": rfc3339(event.time), "type": event.event_id, "data": data}
        return None


def has_words(span: Span, words: tuple[str, ...]) -> bool:
    """Return whether every word occurs in the addresses, domains, hosts and IP addresses of a span."""
    text = " ".join(
        str(keys_to_json(event.keys).get(key, "")) for event in span.events for key in SEARCHED_KEYS
    ).lower()
    return all(word.lower() in text for word in words)
