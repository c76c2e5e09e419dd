"""Refusals of one collector: when they are believed, what they show meanwhile, and when to ask again."""

from __future__ import annotations

import random
from typing import cast

import pytest

from exporter.errors import TargetForbidden, TargetUnsupported
from exporter.ingest.loops.availability import Availability, Refusal
from exporter.ingest.loops.session import RECHECK_SECONDS, Session
from exporter.model.server import Capability, CapabilityStatus
from exporter.stalwart.client import Detector, StalwartClient
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from tests.support.virtual_time import HandClock

SOON_SECONDS = 20.0
GONE = TargetUnsupported("404", certain=False)
DENIED = TargetForbidden("403", certain=False)
NOT_LICENSED = TargetUnsupported("not licensed", status="not_licensed")
OWN_LINES = TargetUnsupported("own responses in the log", status="not_configured", again_seconds=600.0)


class NotingSession(Session):
    """
    A session that is never run.

    Attributes:
        doubted: How often somebody suspected that the server is another one.
    """

    doubted = 0

    def gone(self) -> None:
        self.doubted += 1


class Rig:
    """One collector's availability, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.board = ServerBoard("mx1", TallyBook(), monotonic=self.clock.monotonic)
        self.session = NotingSession(
            detector=cast(Detector, object()),
            client=cast(StalwartClient, object()),
            board=self.board,
            clock=self.clock,
            rng=random.Random(1),  # noqa: S311 - jitter
        )
        self.availability = Availability(self.session, Capability.QUEUE, self.clock)

    def wait_seconds(self) -> float:
        return self.availability.wait_seconds(soon_seconds=SOON_SECONDS)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (GONE, CapabilityStatus.UNSUPPORTED),
        (DENIED, CapabilityStatus.FORBIDDEN),
        (NOT_LICENSED, CapabilityStatus.NOT_LICENSED),
    ],
    ids=["404", "403", "licence"],
)
def test_the_capability_shows_the_refusal_at_once(rig: Rig, error: Refusal, status: CapabilityStatus):
    """Also while it is not believed."""
    rig.availability.succeeded()
    assert rig.board.capabilities[Capability.QUEUE] is CapabilityStatus.AVAILABLE

    rig.availability.refused(error)

    assert rig.board.capabilities[Capability.QUEUE] is status


def test_what_was_never_served_is_off_at_once_and_asked_for_after_a_minute(rig: Rig):
    """A bare status still needs the second look before it waits an hour."""
    assert rig.availability.refused(GONE)
    assert rig.wait_seconds() == 60.0

    rig.clock.seconds += 60.0

    assert rig.availability.refused(GONE)
    assert rig.wait_seconds() == RECHECK_SECONDS


def test_what_was_served_counts_as_failing_until_a_second_refusal(rig: Rig):
    """The second look comes soon once, and then when the minute is over."""
    rig.availability.succeeded()

    assert not rig.availability.refused(GONE)
    assert rig.wait_seconds() == SOON_SECONDS

    rig.clock.seconds += SOON_SECONDS
    assert not rig.availability.refused(GONE)
    assert rig.wait_seconds() == 40.0

    rig.clock.seconds += 40.0
    assert rig.availability.refused(GONE)
    assert rig.wait_seconds() == RECHECK_SECONDS


def test_what_the_api_itself_says_is_believed_at_once(rig: Rig):
    """A document of the API that names the reason needs no second look."""
    rig.availability.succeeded()

    assert rig.availability.refused(NOT_LICENSED)

    assert rig.wait_seconds() == RECHECK_SECONDS


@pytest.mark.parametrize(
    ("error", "doubted"),
    [(GONE, 1), (NOT_LICENSED, 1), (DENIED, 0), (OWN_LINES, 0)],
    ids=["404", "licence", "403", "own lines"],
)
def test_only_what_a_server_had_and_lacks_makes_it_another_server(rig: Rig, error: Refusal, doubted: int):
    """A missing permission and what the exporter itself stopped say nothing about its identity; the first one does."""
    rig.availability.succeeded()

    rig.availability.refused(error)
    rig.availability.refused(error)

    assert rig.session.doubted == doubted


def test_what_was_never_served_says_nothing_about_the_server(rig: Rig):
    """A community server that lacks telemetry is not identified again each hour."""
    rig.availability.refused(NOT_LICENSED)

    assert rig.session.doubted == 0


def test_a_collector_without_a_capability_shows_none(rig: Rig):
    """Its refusals are judged all the same."""
    availability = Availability(rig.session, None, rig.clock)

    availability.succeeded()

    assert not availability.refused(GONE)
    assert rig.board.capabilities == {}
