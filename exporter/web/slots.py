"""Which connection is closed to make room for another one when clients hold more than there is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.web.protocol import BoundedProtocol

ADDRESS_SHARE = 0.75
"""The largest share of all connections that one address may hold."""

GRACE_SECONDS = 0.2
"""How long a connection is left alone, if there are others to close, so that its request can arrive."""

UNSERVED_SHARE = 0.75
"""The largest share that connections without a successful response may hold; the rest is kept for those with one."""


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """
    An open connection.

    Attributes:
        address: The client's IP address.
        task: Cancelling it closes the connection at once.
    """

    address: str
    protocol: BoundedProtocol
    task: asyncio.Task[None]


class Slots:
    """
    The open connections, at most *limit* of them.

    A new client is never turned away: another connection is closed for it, first of those whose latest request was
    refused, then of those that have been idle longest. The address with the most connections gives one up, so that a
    flood from one address closes its own connections; a client that shares this address is served as well, since its
    request arrives while its connection is among the youngest.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limit_of_address = max(1, round(limit * ADDRESS_SHARE))
        self._seats: list[Seat] = []

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def limit(self) -> int:
        """The largest number of connections."""
        return self._limit

    def add(self, seat: Seat) -> None:
        """Counts a new connection."""
        self._seats.append(seat)

    def discard(self, seat: Seat) -> None:
        """Forgets a connection; does nothing if it is unknown."""
        if seat in self._seats:
            self._seats.remove(seat)

    def crowded_out(self, address: str, *, now: float) -> Seat | None:
        """The connection to close before one from *address* is added; ``None`` while there is room."""
        if len(self._seats) >= self._limit:
            return self.least_missed(now=now)
        own = [seat for seat in self._seats if seat.address == address]
        return _least_missed(own, now) if len(own) >= self._limit_of_address else None

    def least_missed(self, *, now: float) -> Seat | None:
        """The connection to close at *now*, by the loop's clock; ``None`` if there is none."""
        if not self._seats:
            return None
        held = Counter(seat.address for seat in self._seats)
        (largest, _), *_ = held.most_common(1)
        return _least_missed([seat for seat in self._seats if seat.address == largest], now)


def _least_missed(seats: Sequence[Seat], now: float) -> Seat:
    unserved = [seat for seat in seats if not seat.protocol.was_served]
    served = [seat for seat in seats if seat.protocol.was_served]
    crowd = served if served and len(unserved) <= len(seats) * UNSERVED_SHARE else unserved
    return min(crowd, key=lambda seat: (_worth(seat.protocol, now), seat.protocol.idle_since))


def _worth(connection: BoundedProtocol, now: float) -> int:
    if connection.was_refused:
        return 0
    if not connection.is_answering and now - connection.idle_since >= GRACE_SECONDS:
        return 1
    return 2
