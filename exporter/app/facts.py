"""The facts of one server as the pages show them, taken from its board."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.collectors.advice import advice_for, lacking_for
from exporter.collectors.inventory import in_use
from exporter.ingest.loops.subscriber import CAPABILITIES
from exporter.model.inventory import Certificate, TaskState
from exporter.model.live import StreamKind
from exporter.model.queue import LOCAL_QUEUE, OTHER_DOMAIN, QueueSnapshot, RecipientStatus
from exporter.model.server import Capability, CapabilityStatus, Generation
from exporter.stalwart.log_problems import LOG_PROBLEM_WORDS
from exporter.state.board import ServerBoard
from exporter.state.health import CollectorHealth
from exporter.state.report_gauges import ReportGaugeBoard
from exporter.state.streams import StreamHealth
from exporter.web.interfaces import (
    Alignment,
    CapabilityRow,
    CollectorState,
    CollectorStatus,
    QueueFacts,
    Recent,
    RequestRow,
    ServerStatus,
    StreamStatus,
    WebhookFacts,
)

MOST = 25
"""How many destinations, certificates and domains of a server are shown."""

WINDOW = "30d"
"""The window of the alignment."""


@dataclass(frozen=True, slots=True)
class Watched:
    """
    A watched server.

    Attributes:
        url: Without credentials.
        reports: ``None`` without reports.
    """

    board: ServerBoard
    url: str
    reports: ReportGaugeBoard | None = None


def server_status(watched: Watched, recent: Recent | None = None) -> ServerStatus:
    """Return one server as the pages show it."""
    board = watched.board
    identity = board.identity
    inventory, posture = board.inventory, board.posture
    return ServerStatus(
        name=board.name,
        url=watched.url,
        generation=identity.generation.value if identity else "",
        edition=identity.edition.value if identity else "",
        version=identity.version if identity else "",
        up=board.up,
        refused=board.refused,
        note=board.trouble or (identity.note if identity else ""),
        capabilities=[
            CapabilityRow(name=c.value, status=s.value, words=_words(board, c) or _advice(board, c, s))
            for c, s in sorted(board.capabilities.items())
        ],
        collectors=[collector_status(health) for health in board.collectors.values()],
        streams=[*(stream_status(stream, board) for stream in board.streams.values()), *webhook_rows(board)],
        queue=queue_facts(board.queue) if board.queue is not None else None,
        certificates=_certificates(inventory.certificates or ()) if inventory is not None else {},
        failed_tasks=_failed(inventory.tasks or {}) if inventory is not None else {},
        unusual_senders=max(board.senders.unusual.values(), default=0) if board.senders is not None else 0,
        metrics_source=board.metrics_source,
        clock_skew_seconds=board.clock_skew_seconds,
        log_problem=LOG_PROBLEM_WORDS[board.log_problem] if board.log_problem is not None else "",
        webhook=WebhookFacts(last_post_at=board.webhook.last_post_at) if board.webhook is not None else None,
        recent=recent,
        alignment=_alignment(watched.reports),
        checks={} if posture is None else {(d, c.value): r.result.value for (d, c), r in posture.results.items()},
        requests=_requests(board),
        account=identity.account if identity else "",
        permissions=sorted(identity.permissions) if identity and identity.permissions is not None else None,
    )


def _certificates(certificates: Iterable[Certificate]) -> Mapping[str, datetime]:
    """Return the expiry of certificates in use; the soonest only."""
    return dict(sorted(in_use(list(certificates)).items(), key=lambda item: item[1])[:MOST])


def _failed(tasks: Mapping[tuple[str, TaskState], int]) -> Mapping[str, int]:
    return {kind: number for (kind, state), number in tasks.items() if state is TaskState.FAILED and number}


def queue_facts(queue: QueueSnapshot) -> QueueFacts:
    """Return the facts about the queue for the verdict."""
    temporary, permanent = RecipientStatus.TEMPORARY_FAILURE, RecipientStatus.PERMANENT_FAILURE
    return QueueFacts(
        running=queue.running,
        messages=queue.messages,
        overdue=sum(queue.overdue.values()),
        expired=sum(queue.expired.values()),
        failing=sum(n for (_, status), n in queue.recipients.items() if status in (temporary, permanent)),
        held_local=sum(held.recipients for (name, _), held in queue.held.items() if name == LOCAL_QUEUE),
        oldest_created_at=queue.oldest_created_at,
        deferring=_domains(queue, temporary),
        rejecting=_domains(queue, permanent),
        truncated=queue.truncated,
    )


def _domains(queue: QueueSnapshot, status: RecipientStatus) -> Mapping[str, int]:
    """Return the recipients in *status* by destination, the most first."""
    found = {domain: n for (domain, held), n in queue.domains.items() if held is status and domain != OTHER_DOMAIN}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST])


def _alignment(reports: ReportGaugeBoard | None) -> Sequence[Alignment]:
    """Return the alignment of each domain, the busiest first."""
    gauges = reports.latest if reports is not None else None
    if gauges is None:
        return ()
    sums: dict[str, dict[str, int]] = {}
    for (domain, window, result), number in gauges.window_messages.items():
        if window == WINDOW:
            sums.setdefault(domain, {})[result] = number
    found = [Alignment(domain=d, aligned=s.get("aligned", 0), failed=s.get("failed", 0)) for d, s in sums.items()]
    return sorted(found, key=lambda one: (-one.messages, one.domain))[:MOST]


def _requests(board: ServerBoard) -> Sequence[RequestRow]:
    """Return what the server is asked, the most frequent first."""
    costs = board.costs
    counts: dict[str, dict[str, int]] = {}
    for (endpoint, status), number in costs.requests.items():
        counts.setdefault(endpoint, {})[status] = number
    rows = [
        RequestRow(
            endpoint=endpoint,
            statuses=dict(sorted(statuses.items())),
            mean_seconds=costs.durations[endpoint].sum / sum(statuses.values()),
            response_bytes=costs.response_bytes.get(endpoint, 0),
        )
        for endpoint, statuses in counts.items()
    ]
    return sorted(rows, key=lambda row: (-row.requests, row.endpoint))


def stream_status(stream: StreamHealth, board: ServerBoard) -> StreamStatus:
    """Return one live stream as the page shows it."""
    offer = board.capabilities.get(CAPABILITIES[StreamKind(stream.name)], CapabilityStatus.AVAILABLE)
    return StreamStatus(
        name=stream.name,
        connected=stream.connected,
        transport=stream.transport,
        last_event_at=stream.last_event_at,
        off="" if offer is CapabilityStatus.AVAILABLE else offer.value,
    )


def webhook_rows(board: ServerBoard) -> Iterator[StreamStatus]:
    """Yield the webhook as a row among the live streams, if there is one."""
    if board.webhook is not None:
        last = board.webhook.last_post_at
        off = "no post yet" if last is None else ""
        yield StreamStatus(name="webhook", connected=last is not None, transport="", last_event_at=last, off=off)


def _advice(board: ServerBoard, capability: Capability, status: CapabilityStatus) -> str:
    identity = board.identity
    generation = identity.generation if identity else Generation.UNKNOWN
    held = identity.permissions if identity else None
    return advice_for(capability, status, generation, lacking=lacking_for(capability, generation, held))


def _words(board: ServerBoard, capability: Capability) -> str:
    """Return what is wrong with the server's log; empty for other capabilities and without a problem."""
    problem = board.log_problem if capability is Capability.LOGS else None
    return "" if problem is None else LOG_PROBLEM_WORDS[problem]


def collector_status(health: CollectorHealth) -> CollectorStatus:
    """Return one collector as the page shows it."""
    if health.off:
        state = CollectorState.OFF
    elif health.success is None:
        state = CollectorState.WAITING
    else:
        state = CollectorState.OK if health.success else CollectorState.FAILING
    return CollectorStatus(
        name=health.name,
        state=state,
        last_success_at=health.last_success_at,
        interval_seconds=health.interval_seconds,
        error=health.off or health.error,
        reason="" if health.off else health.reason,
    )
