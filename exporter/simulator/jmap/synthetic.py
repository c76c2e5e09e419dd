"""A long queue that is computed on request, as `x:QueuedMessage` shows it: in order of due times that never change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, overload

import msgspec

from exporter.simulator.common.responses import encode
from exporter.simulator.jmap.objects.queue import RULES
from exporter.simulator.jmap.query import Entry, conditions, matcher, parse_paging, parse_sort, slice_ids
from exporter.simulator.jmap.wire import Json
from exporter.simulator.world.ids import encode_id
from exporter.simulator.world.synthetic import BLOCK, DAY, LONGEST_WAIT, Pattern, SyntheticQueue
from exporter.simulator.world.values import rfc3339

WAITS = range(1, LONGEST_WAIT + 1)
MEMBERS = (
    *("createdAt", "nextRetry", "nextNotify", "blobId", "returnPath", "recipients", "receivedFromIp"),
    *("receivedViaPort", "flags", "envId", "priority", "size"),
)


class MergedIds(Sequence[int]):
    """Ids in order, found by position and by value without a list of all ids."""

    def __init__(self, *parts: Sequence[int]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def __iter__(self) -> Iterator[int]:
        for part in self._parts:
            yield from part

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> list[int]: ...

    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, int):
            return self[place : place + 1][0]
        start, stop, _ = place.indices(len(self))
        found: list[int] = []
        for part in self._parts:
            found += part[max(start, 0) : max(stop, 0)]
            start, stop = start - len(part), stop - len(part)
        return found

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        before = 0
        for part in self._parts:
            try:
                return before + part.index(value)
            except ValueError:
                before += len(part)
        raise ValueError(value)


class DueOrder(Sequence[int]):
    """The ids of a synthetic queue by due time; all messages of one second are due together, ascending by id."""

    def __init__(self, queue: SyntheticQueue, *, ascending: bool, least_wait: int, most_wait: int) -> None:
        self._queue = queue
        self._count = queue.count
        seconds = range(-(-queue.count // BLOCK))
        kept = [second for second in seconds if least_wait <= queue.wait(second) <= most_wait]
        self._seconds = sorted(kept, key=lambda second: (queue.wait(second), second), reverse=not ascending)
        self._ascending = ascending
        self._before = [0]
        self._rank = {second: rank for rank, second in enumerate(self._seconds)}
        for second in self._seconds:
            self._before.append(self._before[-1] + self._size(second))

    def _size(self, second: int) -> int:
        return min(BLOCK, self._count - second * BLOCK)

    def __len__(self) -> int:
        return self._before[-1]

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> list[int]: ...

    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, int):
            return self[place : place + 1][0]
        start, stop, _ = place.indices(len(self))
        found: list[int] = []
        while start < stop:
            rank = bisect_right(self._before, start) - 1
            inside = start - self._before[rank]
            found += self._block(rank)[inside : inside + stop - start]
            start = self._before[rank + 1]
        return found

    def _block(self, rank: int) -> list[int]:
        first = self._seconds[rank] * BLOCK
        ids = self._queue.ids(first, first + self._size(self._seconds[rank]))
        return ids if self._ascending else ids[::-1]

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        number = self._queue.number_of(value)
        rank = self._rank.get(number // BLOCK) if number is not None else None
        if rank is None:
            raise ValueError(value)
        return self._before[rank] + self._block(rank).index(value)


def query_synthetic(queue: SyntheticQueue, real: Sequence[Entry], arguments: Mapping[str, Any], now: float) -> Json:
    """
    Return the response to a query over a synthetic queue and the real messages.

    In ascending order, the real messages come after all synthetic ones, regardless of their due times.
    """
    asked = list(conditions(arguments.get("filter")))
    tests = [matcher(key, value, RULES) for key, value in asked]
    _, ascending = parse_sort(arguments, RULES)
    fitting = [row for row in real if all(test(row) for test in tests)]
    fitting.sort(key=lambda row: (row.fields["due"], row.number), reverse=not ascending)
    numbers = [row.number for row in fitting]
    made: Sequence[int]
    if any(not key.startswith("due") for key, _ in asked):
        made = _matching(queue, asked, now, ascending=ascending)
    else:
        waits = [wait for wait in WAITS if _passes(tests, now + wait)] if tests else WAITS
        least, most = (waits[0], waits[-1]) if waits else (1, 0)
        made = _due_order(queue, queue.count, ascending, least, most)
    merged = MergedIds(made, numbers) if ascending else MergedIds(numbers, made)
    return slice_ids(merged, parse_paging(arguments), RULES)


@lru_cache(maxsize=16)
def _due_order(queue: SyntheticQueue, count: int, ascending: bool, least: int, most: int) -> DueOrder:
    """Return the order of a queue while it holds `count` messages."""
    return DueOrder(queue, ascending=ascending, least_wait=least, most_wait=most)


def _passes(tests: Iterable[Any], due: float) -> bool:
    row = Entry(0, {"due": due}, dict)
    return all(test(row) for test in tests)


def _matching(queue: SyntheticQueue, asked: Sequence[tuple[str, Any]], now: float, *, ascending: bool) -> list[int]:
    """Return the ids that match conditions on addresses and queue; every message is checked."""
    told = {key: str(value) for key, value in asked}
    text, sender, to, name = (told.get(key, "") for key in ("text", "returnPath", "to", "queueName"))
    tests = [matcher(key, value, RULES) for key, value in asked if key.startswith("due")]
    numbers = [
        number for number in queue.matching(text, sender, to, name) if _passes(tests, now + queue.wait(number // BLOCK))
    ]
    numbers.sort(key=lambda number: (queue.wait(number // BLOCK), number), reverse=not ascending)
    return [queue.id_at(number) for number in numbers]


def show_synthetic(
    queue: SyntheticQueue, queue_id: int, properties: Sequence[str] | None, now: float
) -> msgspec.Raw | None:
    """Return one message as JSON; None if the id does not exist."""
    number = queue.number_of(queue_id)
    if number is None:
        return None
    wanted = [name for name in properties or MEMBERS if name in MEMBERS] or MEMBERS
    second, place = divmod(number, BLOCK)
    created = queue.second_at(second)
    retry, notify, expires = _times(created, int(now), queue.wait(second))
    pattern, told = queue.patterns[place], []
    for name in wanted:
        match name:
            case "createdAt":
                told.append(f'"createdAt":"{rfc3339(created)}"')
            case "nextRetry" | "nextNotify":
                told.append(f'"{name}":"{retry if name == "nextRetry" else notify}"')
            case "blobId":
                told.append(f'"blobId":"ktq2rue0yp5mjt3v{second:08d}{place:02d}"')
            case "recipients":
                told.append(_template(pattern) % {"n": number, "retry": retry, "notify": notify, "expires": expires})
            case _:
                told.append(_constant(pattern, name))
    return msgspec.Raw(f'{{{",".join(told)},"id":"{encode_id(queue_id)}"}}'.encode())


@lru_cache(maxsize=4096)
def _times(created: int, now: int, wait: int) -> tuple[str, str, str]:
    """Return retry, notice and expiry of the messages of one second."""
    notify, expires = max(created + DAY, now + DAY // 2), max(created + 3 * DAY, now + DAY)
    return rfc3339(now + wait), rfc3339(notify), rfc3339(expires)


@lru_cache(maxsize=BLOCK)
def _template(pattern: Pattern) -> str:
    """Return the recipients of such a message, with placeholders for its number and times."""
    recipient = {
        "retryCount": pattern.retries,
        "retryDue": "%(retry)s",
        "notifyCount": 0,
        "notifyDue": "%(notify)s",
        "expires": {"expiresAt": "%(expires)s", "@type": "Ttl"},
        "queueName": "remote",
        "status": _status_of(pattern),
        "flags": {},
        "orcpt": None,
    }
    return '"recipients":' + encode({f"u%(n)d@{pattern.domain}": recipient}).decode()


@lru_cache(maxsize=16 * BLOCK)
def _constant(pattern: Pattern, name: str) -> str:
    """Return a member that all such messages share."""
    values: Json = {
        "returnPath": pattern.sender,
        "receivedFromIp": "127.0.0.1",
        "receivedViaPort": 465,
        "flags": {"authenticated": True},
        "envId": None,
        "priority": 0,
        "size": pattern.size,
    }
    return encode({name: values[name]}).decode()[1:-1]


def _status_of(pattern: Pattern) -> Json:
    if not pattern.error:
        return {"@type": "Scheduled"}
    shown: Json = {
        "errorType": "connectionError",
        "errorMessage": "I/O error: Connection refused (os error 111)",
        **dict.fromkeys(("errorCommand", "responseCode", "responseEnhanced", "responseMessage")),
        "responseHostname": pattern.host,
        "@type": "TemporaryFailure",
    }
    if pattern.replies:
        code, enhanced, message = pattern.error.split(":")
        shown |= {
            "errorType": "unexpectedResponse",
            "errorMessage": None,
            "errorCommand": f"RCPT TO:<u%(n)d@{pattern.domain}>",
            "responseCode": int(code),
            "responseEnhanced": enhanced,
            "responseMessage": message,
        }
    return shown
