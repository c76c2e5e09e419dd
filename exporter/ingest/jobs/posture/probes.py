"""
The collectors of probes: deliberate tests, each off unless configured.

They have clients of their own, and their results do not affect the state of the management API.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.clock import Clock
from exporter.errors import PayloadError, TargetError, TargetServerError, TargetTimeout
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.prober.client import Prober
from exporter.stalwart.prober.dmarc import Sample
from exporter.stalwart.prober.round_trip.trip import RoundTrip
from exporter.stalwart.prober.spam import Envelope
from exporter.state.probes import ProbeBoard

SPAM_MESSAGES = ("clean", "spam")


class DeliveryProbeJob:
    """Diagnoses the delivery to each target in turn; one that cannot be diagnosed does not stop the others."""

    def __init__(
        self,
        prober: Prober,
        board: ProbeBoard,
        targets: Sequence[str],
        *,
        clock: Clock,
        interval_seconds: float,
        stage_seconds: float,
    ) -> None:
        self._prober = prober
        self._board = board
        self._targets = targets
        self._clock = clock
        self._fresh = fresh_seconds(interval_seconds)
        self._stage_seconds = max(1, round(stage_seconds))

    async def __call__(self, client: StalwartClient) -> None:
        """Run once. Raises a `TargetError`, that of a single target after the others."""
        trouble: TargetError | None = None
        for target in self._targets:
            try:
                probe = await self._prober.diagnose(target, stage_seconds=self._stage_seconds)
            except (PayloadError, TargetServerError, TargetTimeout) as error:
                trouble = error
            else:
                self._board.note_delivery(probe, at=self._clock.now().timestamp(), fresh_seconds=self._fresh)
        if trouble is not None:
            raise trouble


class SpamProbeJob:
    """Lets the spam filter classify a clean message and one that it should recognise."""

    def __init__(
        self, prober: Prober, board: ProbeBoard, envelope: Envelope, *, clock: Clock, interval_seconds: float
    ) -> None:
        self._prober = prober
        self._board = board
        self._envelope = envelope
        self._clock = clock
        self._fresh = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """Run once. Raises a `TargetError`."""
        for kind in SPAM_MESSAGES:
            probe = await self._prober.classify(kind, self._envelope, now=self._clock.now())
            self._board.note_spam(probe, at=self._clock.now().timestamp(), fresh_seconds=self._fresh)


class DmarcProbeJob:
    """Lets the server authenticate a message as it would come from our addresses."""

    def __init__(
        self, prober: Prober, board: ProbeBoard, sample: Sample, *, clock: Clock, interval_seconds: float
    ) -> None:
        self._prober = prober
        self._board = board
        self._sample = sample
        self._clock = clock
        self._fresh = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """Run once. Raises a `TargetError`."""
        results = await self._prober.authenticate(self._sample)
        self._board.note_authentication(results, at=self._clock.now().timestamp(), fresh_seconds=self._fresh)


class RoundTripJob:
    """Sends a message to a mailbox, finds it there and deletes it, without the management API."""

    def __init__(self, trip: RoundTrip, board: ProbeBoard, *, clock: Clock, interval_seconds: float) -> None:
        self._trip = trip
        self._board = board
        self._clock = clock
        self._fresh = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """Run once. Raises a `TargetError`, unless the message arrived and nothing is left of it."""
        probe, trouble = await self._trip.run()
        self._board.note_round_trip(probe, at=self._clock.now().timestamp(), fresh_seconds=self._fresh)
        if trouble is not None:
            raise trouble
