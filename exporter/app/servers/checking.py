"""The checks of domains: what all servers share, and the collector of one server."""

from __future__ import annotations

import random
from dataclasses import dataclass

from exporter.app.servers.plan import READ_SECONDS
from exporter.checks.blocklists.run import BlocklistChecker
from exporter.checks.budget import QueryBudget
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.dns.resolver import are_local
from exporter.checks.domains.run import DomainChecker, OwnSettings
from exporter.checks.hosts.access import HostAccess
from exporter.checks.sources.as_database import AsDatabase
from exporter.checks.sources.naming import SourceNamer
from exporter.checks.tls.run import ListenerChecker, ListenerSettings
from exporter.clock import Clock
from exporter.domains import domain_name
from exporter.ingest.jobs.posture.blocklists import BlocklistRuns
from exporter.ingest.jobs.posture.job import PostureJob
from exporter.ingest.jobs.posture.listeners import ListenerRuns
from exporter.ingest.jobs.posture.results import Results
from exporter.ingest.jobs.posture.wants import WantsReader
from exporter.ingest.jobs.reports.naming import NamingJob
from exporter.ingest.loops.poller import Poller
from exporter.ingest.loops.session import Session
from exporter.model.outside import parse_port
from exporter.settings import CheckSettings, ServerSettings
from exporter.settings.addresses import parse_listen
from exporter.stalwart.http.tls import client_context
from exporter.state.board import ServerBoard
from exporter.store.posture.history import PostureHistory
from exporter.store.reader import HistoryReader
from exporter.store.store import Store

COLLECTOR = "checks"
FIRST_SECONDS = 30.0
"""The first checks wait for this long, so that an exporter that is restarted again and again asks nobody."""

FIRST_NAMING_SECONDS = 90.0
"""Names wait until the first reports are there, and the checks know the server's host name."""


@dataclass(frozen=True, slots=True)
class Checking:
    """
    What all servers share.

    Attributes:
        checker: With the budget of queries.
        namer: With the same budget; ``None`` if sources are not to be named.
        blocklists: With the times of the questions; ``None`` if there are none to ask.
    """

    settings: CheckSettings
    checker: DomainChecker
    namer: SourceNamer | None
    blocklists: BlocklistChecker | None


def checking_of(settings: CheckSettings, *, clock: Clock, rng: random.Random) -> Checking | None:
    """Return what the checks of all servers share, ``None`` if they are disabled. Raises `SettingsError`."""
    if not settings.enabled:
        return None
    addresses = [parse_listen(text) for text in settings.resolver]
    resolvers = [ResolverAddress(address.host, address.port) for address in addresses] or None
    budget = QueryBudget(clock=clock, per_second=settings.queries_per_second)
    checker = DomainChecker(
        resolvers=resolvers,
        budget=budget,
        query_timeout_seconds=settings.query_timeout,
        access=HostAccess(client_context(ca_file=settings.ca_file), settings.host_timeout, settings.ca_file),
        trusts=lambda servers: settings.trust_resolver or are_local(servers),
        rng=rng,
    )
    namer = SourceNamer(
        resolvers=resolvers,
        budget=budget,
        query_timeout_seconds=settings.query_timeout,
        rng=rng,
        as_database=None if settings.as_database is None else AsDatabase(settings.as_database),
    )
    blocklists = BlocklistChecker(settings.blocklists, clock=clock) if settings.blocklists else None
    return Checking(settings, checker, namer if settings.source_names else None, blocklists)


def own_settings(settings: ServerSettings) -> OwnSettings:
    """Return what the operator says about a server."""
    own = settings.checks
    return OwnSettings(
        host=own.host,
        addresses=own.addresses,
        mail_hosts=frozenset(own.mail_hosts),
        report_addresses=frozenset(own.report_addresses),
    )


def listener_checker(checks: CheckSettings, settings: ServerSettings, *, clock: Clock) -> ListenerChecker | None:
    """Return what checks the listeners of a server, ``None`` if that is disabled."""
    own = settings.checks
    if not checks.served_certificates or not own.certificate_ports:
        return None
    return ListenerChecker(
        ListenerSettings(
            hosts=own.certificate_hosts,
            fallback=domain_name(settings.host) or "",
            ports=[parse_port(text) for text in own.certificate_ports],
            expected="certificate_ports" in own.model_fields_set,
        ),
        clock=clock,
    )


def check_pollers(
    checking: Checking | None,
    settings: ServerSettings,
    session: Session,
    store: Store,
    *,
    clock: Clock,
    rng: random.Random,
    reraise_bugs: bool,
) -> list[Poller]:
    """Return the collector of one server's checks, if any; it does not speak for the management API."""
    if checking is None:
        return []
    interval = checking.settings.interval
    job = _posture_job(checking, settings, session.board, store, clock=clock, reraise_bugs=reraise_bugs)
    poller = Poller(
        name=COLLECTOR,
        job=job,
        session=session,
        interval_seconds=interval,
        first_delay_seconds=min(FIRST_SECONDS * rng.uniform(1, 2), interval / 2),
        clock=clock,
        rng=rng,
        speaks_for_api=False,
        reraise_bugs=reraise_bugs,
    )
    return [
        poller,
        *_naming_pollers(checking, settings, session, store, clock=clock, rng=rng, reraise_bugs=reraise_bugs),
    ]


def _posture_job(
    checking: Checking, settings: ServerSettings, board: ServerBoard, store: Store, *, clock: Clock, reraise_bugs: bool
) -> PostureJob:
    interval = checking.settings.interval
    results = Results(PostureHistory(store, settings.name), settings.name, clock=clock)
    listeners = ListenerRuns(
        board,
        results,
        listener_checker(checking.settings, settings, clock=clock),
        clock=clock,
        interval_seconds=interval,
        reraise_bugs=reraise_bugs,
    )
    blocklists = BlocklistRuns(
        board,
        results,
        checking.blocklists,
        configured=bool(settings.checks.addresses),
        clock=clock,
        interval_seconds=interval,
        reraise_bugs=reraise_bugs,
    )
    wants = WantsReader(
        clock=clock,
        max_requests_per_minute=settings.max_requests_per_minute,
        configured=settings.checks.domains,
    )
    return PostureJob(
        board,
        results,
        checking.checker,
        wants,
        own_settings(settings),
        listeners,
        blocklists,
        clock=clock,
        interval_seconds=interval,
        reraise_bugs=reraise_bugs,
    )


def _naming_pollers(
    checking: Checking,
    settings: ServerSettings,
    session: Session,
    store: Store,
    *,
    clock: Clock,
    rng: random.Random,
    reraise_bugs: bool,
) -> list[Poller]:
    """Return the collector that names the sources in reports, if any."""
    if checking.namer is None:
        return []
    interval = checking.settings.interval
    reader = HistoryReader(store.path, seconds=READ_SECONDS)
    job = NamingJob(store, reader, settings.name, checking.namer, settings.checks.addresses, clock=clock)
    poller = Poller(
        name="sources",
        job=job,
        session=session,
        interval_seconds=interval,
        first_delay_seconds=min(FIRST_NAMING_SECONDS * rng.uniform(1, 2), interval / 2),
        clock=clock,
        rng=rng,
        speaks_for_api=False,
        recheck_seconds=interval,
        reraise_bugs=reraise_bugs,
    )
    return [poller]
