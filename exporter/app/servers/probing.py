"""The collectors of one server's probes."""

from __future__ import annotations

import random
from collections.abc import Iterator

from exporter.app.servers.connection import Probing
from exporter.clock import Clock
from exporter.ingest.jobs.posture.probes import DeliveryProbeJob, DmarcProbeJob, RoundTripJob, SpamProbeJob
from exporter.ingest.loops.poller import Job, Poller
from exporter.ingest.loops.session import Session
from exporter.settings import ServerSettings
from exporter.settings.servers.probes import ProbeSettings
from exporter.stalwart.prober.client import Prober
from exporter.stalwart.prober.dmarc import Sample
from exporter.stalwart.prober.spam import Envelope
from exporter.state.probes import ProbeBoard

FIRST_SECONDS = 20.0
"""The first probes wait for this long, so that an exporter that is restarted again and again makes none."""

ROUND_TRIP = "probe_round_trip"


def probe_pollers(
    probing: Probing | None,
    settings: ServerSettings,
    session: Session,
    *,
    clock: Clock,
    rng: random.Random,
    reraise_bugs: bool,
) -> list[Poller]:
    """Return the collectors of the probes that are configured; they do not speak for the management API."""
    if probing is None:
        return []
    return [
        Poller(
            name=name,
            job=job,
            session=session,
            interval_seconds=interval,
            first_delay_seconds=min(FIRST_SECONDS * rng.uniform(1, 2), interval / 2),
            clock=clock,
            rng=rng,
            speaks_for_api=False,
            needs_api=name != ROUND_TRIP,
            reraise_bugs=reraise_bugs,
        )
        for name, job, interval in _jobs(probing, settings, clock)
    ]


def _jobs(probing: Probing, settings: ServerSettings, clock: Clock) -> Iterator[tuple[str, Job, float]]:
    """Yield name, job and interval."""
    if probing.prober is not None:
        yield from _asked_for(probing.prober, probing.board, settings.probes, clock)
    if probing.round_trip is not None:
        every = settings.probes.round_trip.interval
        yield ROUND_TRIP, RoundTripJob(probing.round_trip, probing.board, clock=clock, interval_seconds=every), every


def _asked_for(
    prober: Prober, board: ProbeBoard, probes: ProbeSettings, clock: Clock
) -> Iterator[tuple[str, Job, float]]:
    """Yield the probes that the server makes."""
    if probes.delivery_to:
        every = probes.delivery_interval
        yield (
            "probe_delivery",
            DeliveryProbeJob(
                prober,
                board,
                probes.delivery_to,
                clock=clock,
                interval_seconds=every,
                stage_seconds=probes.delivery_timeout,
            ),
            every,
        )
    if probes.spam_recipient is not None:
        envelope = Envelope(
            sender=probes.sender, recipient=probes.spam_recipient, address=probes.address, helo=probes.helo
        )
        every = probes.spam_interval
        yield "probe_spam", SpamProbeJob(prober, board, envelope, clock=clock, interval_seconds=every), every
    if probes.dmarc_sender is not None:
        sample = Sample(sender=probes.dmarc_sender, address=probes.address, helo=probes.helo)
        every = probes.dmarc_interval
        yield "probe_dmarc", DmarcProbeJob(prober, board, sample, clock=clock, interval_seconds=every), every
