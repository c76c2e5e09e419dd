"""What servers post, and the queue as its operator reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from exporter.stalwart.operator.rest import wire as rest_queue
from exporter.stalwart.webhooks.events import EventReader, in_order
from exporter.stalwart.webhooks.wire import EventSplitter
from tests.fuzz import samples
from tests.fuzz.decoder import Decoder, any_of
from tests.support.paths import ROOT

POSTS = ("ops-0.15.5", "ops-0.16.18")
SMALL_BYTES = 8192


def decoders() -> Iterator[Decoder]:
    """Every decoder of a post, and of the operator's queue."""
    yield Decoder("webhook.post", _posted, _posts)
    yield Decoder("operator.rest_queue", _operators_queue, lambda: samples.rest("/api/queue/messages"))


def _posted(body: bytes) -> object:
    splitter, reader = EventSplitter(), EventReader()
    events = [event for slice_ in splitter.feed(body) for event in slice_]
    events += splitter.finish()
    return [list(reader.read(in_order(events), is_last=True)), [event.digest() for event in events]]


def _posts() -> list[bytes]:
    """The recorded posts that are not long."""
    folder = ROOT / "tests" / "recordings"
    lines = [line for name in POSTS for line in (folder / name / "webhooks.jsonl").read_text().splitlines()]
    bodies = [json.loads(line)["body"].encode() for line in lines]
    return [body for body in bodies if len(body) < SMALL_BYTES]


def _operators_queue(body: bytes) -> object:
    return any_of([lambda: rest_queue.parse_page(body), lambda: rest_queue.parse_message(body)])
