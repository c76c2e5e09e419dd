"""What could not be renewed is no longer shown; what was counted stays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from exporter.collectors.exposition import Exposition, Format
from exporter.collectors.queue import FailedSource, OutgoingSource, QueueSource
from exporter.collectors.telemetry import GaugeSource, TallySource
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.model.queue import Distribution, OutgoingReports, QueueSnapshot, RecipientStatus
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import TallyBook
from tests.support.virtual_time import HandClock

TAKEN_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SNAPSHOTS = (
    "stalwart_queue_messages",
    "stalwart_failed_deliveries",
    "stalwart_outgoing_reports",
    "stalwart_active_connections",
)


@dataclass
class Shown:
    """A board, and the page made of it."""

    clock: HandClock
    board: ServerBoard
    exposition: Exposition

    def families(self) -> set[str]:
        """The names on the page as it is now."""
        self.exposition.build()
        body, _ = self.exposition.exposition(Format.TEXT, gzip=False)
        return {name.decode() for name in re.findall(rb"^([a-z_]+)\{", body, re.MULTILINE)}


@pytest.fixture
def shown() -> Shown:
    """A server that everything is known of, and one delivery counted."""
    clock = HandClock()
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    exposition = Exposition(extra=lambda _: b"", monotonic=clock.monotonic)
    for source in (
        QueueSource(board, max_domains=25),
        FailedSource(board),
        OutgoingSource(board),
        TallySource(board),
        GaugeSource(board),
    ):
        exposition.add(source, server="mx1")
    board.tallies.apply({("deliveries", ("delivered", "", "250")): 7})
    return Shown(clock, board, exposition)


def snapshot() -> QueueSnapshot:
    """A queue of one message."""
    one = Distribution(bounds=(1.0,), counts=(0, 1), total=60.0)
    return QueueSnapshot(
        taken_at=TAKEN_AT,
        running=True,
        messages=1,
        size_bytes=100,
        recipients={("remote", RecipientStatus.SCHEDULED): 1},
        oldest_created_at=TAKEN_AT - timedelta(seconds=60),
        ages_seconds=one,
        attempts=one,
        overdue={},
        expired={},
        domains={},
        failures={},
        held={},
        truncated=False,
        unknown={},
    )


def publish_all(board: ServerBoard, interval_seconds: float) -> None:
    """Every collector succeeds."""
    fresh = fresh_seconds(interval_seconds)
    board.publish(Part.QUEUE, snapshot(), fresh_seconds=fresh)
    board.publish(Part.FAILED, {"temporary": 1, "permanent": 0}, fresh_seconds=fresh)
    board.publish(Part.OUTGOING, OutgoingReports(waiting={"dmarc": 1, "tls": 0}), fresh_seconds=fresh)
    board.publish(Part.GAUGES, {"imap.active-connections": 3}, fresh_seconds=fresh)


@pytest.mark.parametrize(
    ("interval_seconds", "limit_seconds"), [(1.0, 90.0), (30.0, 90.0), (60.0, 180.0), (300.0, 900.0)]
)
def test_a_snapshot_is_shown_for_three_intervals_and_at_least_ninety_seconds(
    shown: Shown, interval_seconds: float, limit_seconds: float
):
    """Up to the limit it is there, from the limit on it is absent, and the counters stay."""
    publish_all(shown.board, interval_seconds)
    assert set(SNAPSHOTS) <= shown.families()

    shown.clock.seconds += limit_seconds - 0.001
    assert set(SNAPSHOTS) <= shown.families()
    assert shown.board.next_expiry() == pytest.approx(shown.clock.seconds + 0.001)

    shown.clock.seconds += 0.001
    assert shown.families() & set(SNAPSHOTS) == set()
    assert "stalwart_deliveries_total" in shown.families()
    assert shown.board.next_expiry() is None


def test_only_what_was_not_renewed_goes(shown: Shown):
    """A collector that still succeeds keeps its series while another's run out."""
    publish_all(shown.board, 30.0)
    shown.clock.seconds += 60

    shown.board.publish(Part.QUEUE, snapshot(), fresh_seconds=90.0)
    shown.clock.seconds += 45

    assert shown.families() & set(SNAPSHOTS) == {"stalwart_queue_messages"}


def test_a_renewed_snapshot_comes_back(shown: Shown):
    """After an outage the next success shows it again."""
    publish_all(shown.board, 30.0)
    shown.clock.seconds += 1000
    assert shown.families() & set(SNAPSHOTS) == set()

    publish_all(shown.board, 30.0)

    assert set(SNAPSHOTS) <= shown.families()
