"""
Repetitions in posts: a batch whose answer did not reach the server comes again as part of a later post.

Event ids identify nothing, and equal events are real. Therefore the whole batch of an earlier post is looked for in a
later one, as a contiguous run of events with the same content; the events of a run that is found are not counted again.
A batch whose answer certainly arrived is not repeated by the server. If it nevertheless comes again whole, and has
different events, a proxy has lost the answer on the way.

Posts whose connection broke may be stored after the next one, which repeats them: so a whole post is also looked for in
the batches before.

A server drops what has become too old from a batch before it posts it again; the rest is found as well.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DIGEST_BYTES = 8
MAX_RUNS = 8
MAX_EVENTS = 200_000
"""The most events of earlier batches that are kept; the oldest batch is forgotten first."""

SHORTEST_DISCARD_SECONDS = 10
"""The least age at which a server is expected to drop an event that it could not post; the default is 5 minutes."""


@dataclass(slots=True)
class Batch:
    """
    The events of one post.

    Attributes:
        body: The number of the post.
        at: When it was received, in Unix seconds of the exporter's clock.
        digests: A checksum of `DIGEST_BYTES` per event, in order.
        seconds: When each event was collected, in Unix seconds of the server's clock.
        answered: Whether the server has certainly received the answer.
    """

    body: int
    at: int
    digests: bytes
    seconds: array[int]
    answered: bool = False

    def __len__(self) -> int:
        return len(self.seconds)

    def items(self) -> list[bytes]:
        """Return the checksums."""
        return [self.digests[at : at + DIGEST_BYTES] for at in range(0, len(self.digests), DIGEST_BYTES)]

    def newest(self) -> int:
        """Return the time of the newest event."""
        return max(self.seconds, default=0)


class PostedRuns:
    """
    The batches of the last posts.

    Attributes:
        batches: Oldest first.
    """

    def __init__(self, batches: Iterable[Batch] = ()) -> None:
        self.batches = list(batches)

    def repeated(self, post: Batch) -> tuple[bytearray, list[int]]:
        """
        Return which events of *post* were in earlier ones, and the numbers of the posts that it repeats.

        The former has a byte per event, 1 for a repetition.
        """
        if any(_contains(batch, post) for batch in self.batches):
            return bytearray(b"\1") * len(post), []
        marks = bytearray(len(post))
        gone: list[int] = []
        for batch in reversed(self.batches):
            found = _find(batch, post)
            if found is not None:
                start, length = found
                marks[start : start + length] = b"\1" * length
                gone.append(batch.body)
        return marks, gone

    def add(self, batch: Batch, gone: Iterable[int]) -> None:
        """Keep *batch*, which repeats the posts *gone*: those need not be kept any longer."""
        repeated = set(gone)
        self.batches = [one for one in self.batches if one.body not in repeated]
        if len(batch):
            self.batches.append(batch)
        while len(self.batches) > MAX_RUNS or sum(map(len, self.batches)) > MAX_EVENTS:
            if len(self.batches) == 1:
                return
            del self.batches[0]

    def answered(self, body: int) -> bool:
        """Record that the answer to a post has arrived; return whether its batch is kept."""
        for batch in self.batches:
            if batch.body == body:
                batch.answered = True
                return True
        return False


def _contains(batch: Batch, post: Batch) -> bool:
    """Return whether an earlier *batch* repeats *post*: both were received at once, and stored in this order."""
    if not len(post) or len(post) > len(batch) or not _may_repeat(post):
        return False
    return _place(post.digests, batch.digests) >= 0


def _may_repeat(batch: Batch) -> bool:
    """Return whether a batch may be posted again; equal events after an answered one are real."""
    return not batch.answered or len(set(batch.items())) > 1


def _find(batch: Batch, post: Batch) -> tuple[int, int] | None:
    """Return start and length of *batch* within *post*; ``None`` if it is not repeated there."""
    items = batch.items()
    if not items or not _may_repeat(batch):
        return None
    start = _place(batch.digests, post.digests)
    if start >= 0:
        return start, len(items)
    there = post.items()
    missing = Counter(items) - Counter(there)
    if missing:
        items = [] if batch.answered else _without_stale(items, batch, post, missing)
    start = _window(items, there) if items else -1
    return (start, len(items)) if start >= 0 else None


def _place(needle: bytes, haystack: bytes) -> int:
    """Return the index of the first event of *needle* within *haystack*; -1 if it is not there in this order."""
    at = haystack.find(needle)
    while at >= 0 and at % DIGEST_BYTES:
        at = haystack.find(needle, at + 1)
    return at // DIGEST_BYTES if at >= 0 else -1


def _without_stale(items: Sequence[bytes], batch: Batch, post: Batch, missing: Counter[bytes]) -> list[bytes]:
    """Return what is left of a batch after the server dropped its old events; empty if that explains nothing."""
    dropped_until = max(second for item, second in zip(items, batch.seconds, strict=True) if item in missing)
    now = max(post.newest(), batch.newest() + max(0, post.at - batch.at))
    if now - dropped_until < SHORTEST_DISCARD_SECONDS:
        return []
    return [item for item, second in zip(items, batch.seconds, strict=True) if second > dropped_until]


def _window(items: Sequence[bytes], there: Sequence[bytes]) -> int:
    """Return where *there* has exactly *items* next to each other, in any order; -1 if it does not."""
    length = len(items)
    wanted = Counter(items)
    wrong = len(wanted)
    lacking = dict(wanted)
    for at, item in enumerate(there):
        wrong += _take(lacking, item, 1)
        if at >= length:
            wrong += _take(lacking, there[at - length], -1)
        if not wrong:
            return at - length + 1
    return -1


def _take(lacking: dict[bytes, int], item: bytes, times: int) -> int:
    """Change what the window lacks of *item*; return by how much the number of wrong items changes."""
    before = lacking.get(item, 0)
    lacking[item] = after = before - times
    return int(after != 0) - int(before != 0)


def batch_of(body: int, at: int, digests: bytes, seconds: bytes, *, answered: bool) -> Batch:
    """Return a batch from what is stored of it."""
    times: array[int] = array("I")
    times.frombytes(seconds)
    return Batch(body, at, digests, times, answered)
