"""Selects the connection to close when clients open more than the limit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.web.serving.protocol import BoundedProtocol

ADDRESS_SHARE = 0.75
"""The largest share of all connections for one address."""

GRACE_SECONDS = 0.2
"""How long a new connection is kept, if others can be closed, so that its request can arrive."""

UNSERVED_SHARE = 0.75
"""The largest share of connections without a successful response; the rest is reserved for those with one."""


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
    The open connections, at most *limit*.

    A new client is never rejected: another connection is closed instead, first those whose latest request was refused,
    then those that were idle longest. The address with the most connections loses one, so that a flood from one address
    closes its own connections. Another client behind this address is still served, since its request arrives while its
    connection is among the newest.
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
        """Add a connection."""
        self._seats.append(seat)

    def discard(self, seat: Seat) -> None:
        """Remove a connection, if it is known."""
        if seat in self._seats:
            self._seats.remove(seat)

    def crowded_out(self, address: str, *, now: float) -> Seat | None:
        """Return the connection to close before one from *address* is added; ``None`` while there is room."""
        if len(self._seats) >= self._limit:
            return self.least_missed(now=now)
        own = [seat for seat in self._seats if seat.address == address]
        return _least_missed(own, now) if len(own) >= self._limit_of_address else None

    def least_missed(self, *, now: float) -> Seat | None:
        """Return the connection to close at *now*, by the loop's clock; ``None`` if there is none."""
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
