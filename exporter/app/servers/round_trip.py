"""Builds the round trip probe of a server from its settings."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.settings import ServerSettings
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.tls import client_context
from exporter.stalwart.prober.round_trip.lines import Listener
from exporter.stalwart.prober.round_trip.trip import RoundTrip, Route


def round_trip_of(settings: ServerSettings, *, clock: Clock) -> RoundTrip | None:
    """Return the probe, ``None`` if it is not configured. Raises `SettingsError` for an unusable certificate."""
    wanted = settings.probes.round_trip
    login = wanted.credentials
    if wanted.address is None or login is None:
        return None
    host = wanted.host or settings.host
    tls = client_context(ca_file=wanted.ca_file)
    submission, imap = (
        Listener(host=host, port=port, implicit_tls=mode == "implicit", tls_name=wanted.tls_name or host, tls=tls)
        for port, mode in zip(wanted.ports, (wanted.smtp_tls, wanted.imap_tls), strict=True)
    )
    route = Route(
        submission=submission,
        imap=imap,
        address=wanted.address,
        username=login.username,
        password=login.password.get_secret_value(),
        mailbox=wanted.mailbox,
        arrival_seconds=wanted.arrival_timeout,
        step_seconds=wanted.step_timeout,
    )
    return RoundTrip(route, clock=clock, resolver=Resolver())
