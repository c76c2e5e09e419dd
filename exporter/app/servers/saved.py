"""What is known of a server beyond one life of its runtime."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import Reconciler
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store


@dataclass(frozen=True, slots=True)
class Saved:
    """
    What one runtime of a server leaves to the next, or the history file to the first.

    Attributes:
        board: Empty but for the tallies.
        reconciler: What live and stored traces have brought; for every server, also one without streams.
    """

    board: ServerBoard
    ledger: Ledger
    reconciler: Reconciler

    @classmethod
    async def load(cls, name: str, store: Store, *, clock: ServerClock) -> Saved:
        """Read what *store* holds of the server called *name*; raises `StoreError`."""
        board = ServerBoard(name, TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, name, board.tallies, board)
        return cls(board, ledger, await Reconciler.load(ledger, clock=clock))
