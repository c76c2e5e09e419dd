"""The state of a server that outlives its runtime."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import Reconciler
from exporter.ingest.counting.repeats.shared_outcomes import SharedOutcomes
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from exporter.store.trail.masking import load_secret


@dataclass(frozen=True, slots=True)
class Saved:
    """
    What one runtime of a server passes to the next, or the history file to the first.

    Attributes:
        board: Empty except for the tallies.
        reconciler: State of live and stored traces; present even for servers without streams.
        trail_secret: The key of the history's hashed addresses.
        shared: The outcomes of webhook and log; present even for servers without a webhook.
    """

    board: ServerBoard
    ledger: Ledger
    reconciler: Reconciler
    trail_secret: bytes
    shared: SharedOutcomes

    @classmethod
    async def load(cls, name: str, store: Store, *, clock: ServerClock) -> Saved:
        """Read the state of the server *name* from *store*; raises `StoreError`."""
        board = ServerBoard(name, TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, name, board.tallies, board)
        secret, shared = await load_secret(store), await SharedOutcomes.load(ledger)
        return cls(board, ledger, await Reconciler.load(ledger, clock=clock), secret, shared)
