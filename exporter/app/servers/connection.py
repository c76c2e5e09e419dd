"""Builds a server's client from its settings."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from exporter.app.servers.round_trip import round_trip_of
from exporter.clock import Clock
from exporter.settings import BasicLogin, BearerToken, ServerSettings
from exporter.stalwart.client import Detector, StalwartClient
from exporter.stalwart.detect import RestDetector
from exporter.stalwart.http.credentials import Basic, Bearer, Credentials
from exporter.stalwart.http.observer import RequestObserver
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.tls import client_context
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.live.client import JmapLiveClient
from exporter.stalwart.live import LiveClient
from exporter.stalwart.prober.calls import PROBE_CALLS
from exporter.stalwart.prober.client import Prober
from exporter.stalwart.prober.round_trip.trip import RoundTrip
from exporter.stalwart.rest.client import RestClient
from exporter.stalwart.rest.live.client import RestLiveClient
from exporter.stalwart.streams.opening import StreamOpener
from exporter.stalwart.switching import SwitchingClient, SwitchingDetector, SwitchingLiveClient
from exporter.state.probes import ProbeBoard

STAGES = 20
"""The most stages of a delivery that may take until their deadlines: those of two hosts."""


@dataclass(frozen=True, slots=True)
class Probing:
    """
    The probes of one server, each with a connection and a login of its own.

    Attributes:
        board: Their results.
        prober: Those that the server makes; ``None`` if none are configured.
        round_trip: ``None`` if it is not configured.
    """

    board: ProbeBoard
    prober: Prober | None
    round_trip: RoundTrip | None

    def allow_retry(self) -> None:
        """Allow refused credentials again."""
        if self.prober is not None:
            self.prober.allow_retry()
        if self.round_trip is not None:
            self.round_trip.allow_retry()

    async def aclose(self) -> None:
        """Close the connections."""
        if self.prober is not None:
            await self.prober.aclose()


@dataclass(frozen=True, slots=True)
class ServerConnection:
    """
    The connection to one server.

    Attributes:
        jmap: The part of the client for servers of v0.16 and newer.
        server_clock: The server's time, as learned from its responses.
        account: Our name in the server's log; empty if the credentials do not contain it.
        live: The server's live streams; ``None`` if they are disabled.
        probing: ``None`` if no probes are configured.
    """

    transport: Transport
    detector: Detector
    client: StalwartClient
    jmap: JmapClient
    server_clock: ServerClock
    account: str
    live: LiveClient | None = None
    probing: Probing | None = None

    def allow_retry(self) -> None:
        """Allow requests after refused credentials again."""
        self.transport.allow_retry()
        if self.probing is not None:
            self.probing.allow_retry()

    async def aclose(self) -> None:
        """Close the connections."""
        if self.live is not None:
            await self.live.aclose()
        if self.probing is not None:
            await self.probing.aclose()
        await self.client.aclose()


def connect(
    settings: ServerSettings,
    *,
    clock: Clock,
    observer: RequestObserver | None,
    ask_version: bool | None = None,
    server_clock: ServerClock | None = None,
) -> ServerConnection:
    """
    Build the client of one server without making a request; an existing *server_clock* is reused.

    Raises `SettingsError` for an unusable certificate or key.
    """
    throttle = Throttle(clock=clock, requests=settings.max_requests_per_minute)
    tls = context_for(settings)
    server_clock = server_clock or ServerClock(clock, server=settings.name)
    resolver = Resolver()
    transport = Transport(
        base_url=settings.url,
        credentials=credentials_of(settings.credentials),
        native_credentials=None if settings.native_credentials is None else credentials_of(settings.native_credentials),
        clock=clock,
        throttle=throttle,
        tls=tls,
        connect_timeout_seconds=settings.connect_timeout,
        read_timeout_seconds=settings.read_timeout,
        total_timeout_seconds=settings.request_timeout,
        max_body_bytes=settings.max_body_bytes,
        observer=observer,
        server_clock=server_clock,
        resolver=resolver,
    )
    ask = settings.ask_version if ask_version is None else ask_version
    jmap = JmapClient(transport, clock=server_clock)
    client = SwitchingClient(rest=RestClient(transport, clock=server_clock), jmap=jmap)
    return ServerConnection(
        transport=transport,
        detector=SwitchingDetector(RestDetector(transport, ask_version=ask), jmap, client),
        client=client,
        jmap=jmap,
        server_clock=server_clock,
        account=transport.account_name or "",
        live=_live(settings, transport, client, jmap, throttle, tls, clock, observer, resolver),
        probing=_probing(settings, _prober(settings, client, throttle, tls, clock, observer, resolver), clock),
    )


def _probing(settings: ServerSettings, prober: Prober | None, clock: Clock) -> Probing | None:
    trip = round_trip_of(settings, clock=clock)
    if prober is None and trip is None:
        return None
    return Probing(ProbeBoard(monotonic=clock.monotonic), prober, trip)


def _prober(
    settings: ServerSettings,
    client: SwitchingClient,
    throttle: Throttle,
    tls: ssl.SSLContext | None,
    clock: Clock,
    observer: RequestObserver | None,
    resolver: Resolver,
) -> Prober | None:
    login = settings.probes.credentials
    if login is None:
        return None
    stage_seconds = settings.probes.delivery_timeout
    transport = Transport(
        base_url=settings.url,
        credentials=credentials_of(login),
        clock=clock,
        throttle=throttle,
        tls=tls,
        connect_timeout_seconds=settings.connect_timeout,
        # The server is silent until a stage ends, at the latest after its deadline.
        read_timeout_seconds=settings.read_timeout + stage_seconds,
        total_timeout_seconds=settings.request_timeout + STAGES * stage_seconds,
        max_body_bytes=settings.max_body_bytes,
        observer=observer,
        resolver=resolver,
        allowed=PROBE_CALLS,
    )
    return Prober(transport, generation=lambda: client.generation)


def _live(
    settings: ServerSettings,
    transport: Transport,
    client: SwitchingClient,
    jmap: JmapClient,
    throttle: Throttle,
    tls: ssl.SSLContext | None,
    clock: Clock,
    observer: RequestObserver | None,
    resolver: Resolver,
) -> LiveClient | None:
    mode = settings.streams.transport
    if mode == "off":
        return None
    opener = StreamOpener(
        base_url=settings.url,
        mode=mode,
        throttle=throttle,
        clock=clock,
        tls=tls,
        connect_timeout_seconds=settings.connect_timeout,
        answer_timeout_seconds=settings.read_timeout,
        observer=observer,
        resolver=resolver,
    )
    return SwitchingLiveClient(
        client,
        rest=RestLiveClient(transport, opener, generation=lambda: client.generation),
        jmap=JmapLiveClient(transport, opener, jmap, clock=clock),
    )


def credentials_of(login: BasicLogin | BearerToken) -> Credentials:
    """Convert the login to the client's credentials."""
    if isinstance(login, BearerToken):
        return Bearer(login.token.get_secret_value())
    return Basic(login.username, login.password.get_secret_value())


def context_for(settings: ServerSettings) -> ssl.SSLContext | None:
    """Return how the server's certificate is verified, ``None`` for plain HTTP; `SettingsError` names the setting."""
    if not settings.url.startswith("https:"):
        return None
    tls = settings.tls
    return client_context(
        ca_file=tls.ca_file, verify=not tls.insecure_skip_verify, cert_file=tls.cert_file, key_file=tls.key_file
    )
