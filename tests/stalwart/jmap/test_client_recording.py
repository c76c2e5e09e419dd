"""The client reads, on a recorded server of v0.16, what an independent reader found in its answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from exporter.model.incoming_reports import IncomingReport
from exporter.model.queue import QueueSnapshot, RecipientStatus
from exporter.model.report_words import ReportKind
from exporter.model.reports import ArfReport, DmarcReport, TlsReport
from exporter.model.server import Edition, Generation
from exporter.model.telemetry import ServerTotals
from exporter.stalwart.jmap.client import JmapClient
from tests.support.replays.jmap import RECORDING, JmapServer
from tests.support.replays.jmap_client import asked

Fact = tuple[str, tuple[tuple[str, str], ...]]
DURATIONS = {
    "delivery.total-time": "stalwart_delivery_duration_seconds",
    "delivery.attempt-time": "stalwart_delivery_attempt_duration_seconds",
}


def fact(name: str, **labels: str) -> Fact:
    """The key of a fact."""
    return name, tuple(sorted(labels.items()))


def facts(*names: str) -> dict[Fact, float]:
    """The facts of the recording whose name begins so."""
    rows = json.loads((RECORDING / "facts.json").read_text())
    found = {fact(row["name"], **row["labels"]): row["value"] for row in rows if row["name"].startswith(names)}
    assert found
    return found


def of_queue(queue: QueueSnapshot) -> dict[Fact, float]:
    """What a snapshot says."""
    said: dict[Fact, float] = {
        fact("stalwart_queue_messages"): queue.messages,
        fact("stalwart_queue_bytes"): queue.size_bytes,
    }
    for (name, status), count in queue.recipients.items():
        said[fact("stalwart_queue_recipients", queue=name, status=status.value)] = count
    for (status, reason, code), count in queue.failures.items():
        said[fact("stalwart_queue_failures", status=status.value, reason=reason.value, code=code)] = count
    for (domain, status), count in queue.domains.items():
        said[fact("stalwart_queue_domain_recipients", domain=domain, status=status.value)] = count
    for kind in ("temporary", "permanent"):
        status = RecipientStatus(f"{kind}_failure")
        failing = sum(count for (_, its), count in queue.recipients.items() if its is status)
        said[fact("stalwart_failed_deliveries", kind=kind)] = failing
    return said


def of_page(totals: ServerTotals) -> dict[Fact, float]:
    """What a native page says of counters and of the two histograms of deliveries."""
    said: dict[Fact, float] = {
        fact("stalwart_events_total", event=event): count for event, count in totals.counters.items()
    }
    for id_, name in DURATIONS.items():
        histogram = totals.histograms[id_]
        said[fact(f"{name}_count")] = histogram.count
        said[fact(f"{name}_sum")] = histogram.sum / 1000
        bounds = [*(repr(bound / 1000) for bound in histogram.bounds), "+Inf"]
        for number, bound in enumerate(bounds, 1):
            said[fact(f"{name}_bucket", le=bound)] = sum(histogram.counts[:number])
    return said


def of_reports(reports: Iterable[IncomingReport]) -> Counter[Fact]:
    """What reports say, each of them once."""
    said: Counter[Fact] = Counter()
    for report in {tuple(r.content.identity): r for r in reports}.values():
        said[fact("stalwart_reports_total", kind=report.kind.value)] += 1
        content = report.content
        if isinstance(content, DmarcReport):
            for _, messages, got in content.records:
                result = {"disposition": got.disposition.value, "dkim": got.dkim.value, "spf": got.spf.value}
                said[fact("stalwart_dmarc_messages_total", domain=content.domain, **result)] += messages
        elif isinstance(content, TlsReport):
            said.update(_of_policies(content))
        elif isinstance(content, ArfReport):
            said[fact("stalwart_arf_reports_total", feedback_type=content.feedback_type.value)] += 1
    return said


def _of_policies(report: TlsReport) -> Mapping[Fact, int]:
    said: Counter[Fact] = Counter()
    for policy in report.policies:
        for result, sessions in (("success", policy.successes), ("failure", policy.failures)):
            if sessions:
                labels = {"domain": policy.domain, "policy": policy.type.value, "result": result}
                said[fact("stalwart_tls_report_sessions_total", **labels)] += sessions
        for failure in policy.details:
            labels = {"domain": policy.domain, "failure": failure.result.value}
            said[fact("stalwart_tls_report_failures_total", **labels)] += failure.sessions
    return said


async def every_report(client: JmapClient) -> list[IncomingReport]:
    """All that the server has received."""
    reports = []
    for kind in ReportKind:
        ids = (await client.fetch_report_ids(kind, page=1, limit=1000)).ids
        for report in await client.fetch_reports(kind, ids):
            assert isinstance(report, IncomingReport)
            reports.append(report)
    return reports


def test_the_queue_is_what_the_facts_say():
    """Messages, recipients, failures and domains, from one request."""
    server = JmapServer.recorded()

    queue = asked(server, lambda client: client.fetch_queue(max_messages=0))

    assert of_queue(queue) == facts("stalwart_queue_", "stalwart_failed_deliveries")
    assert (queue.truncated, queue.running, queue.unknown) == (False, None, {})
    assert server.batches == 1


def test_the_native_page_is_what_the_facts_say():
    """Counters by their own ids and histograms with their buckets repaired."""
    totals = asked(JmapServer.recorded(), lambda client: client.fetch_native_totals())

    said = of_page(totals)
    wanted = facts("stalwart_events_total", "stalwart_delivery_duration", "stalwart_delivery_attempt")
    assert said == pytest.approx(wanted)
    assert (totals.counters_withheld, totals.unknown) == ("", {})


def test_outgoing_reports_are_what_the_facts_say():
    """Both kinds, from one request that lists none of them."""
    server = JmapServer.recorded()

    reports = asked(server, lambda client: client.fetch_outgoing_reports())

    said = {fact("stalwart_outgoing_reports", kind=kind): count for kind, count in reports.waiting.items()}
    assert said == facts("stalwart_outgoing_reports")
    assert server.batches == 1


def test_received_reports_are_what_the_facts_say():
    """DMARC, TLS and ARF, with nothing unknown in them."""
    reports = asked(JmapServer.recorded(), every_report)

    wanted = facts("stalwart_reports_total", "stalwart_dmarc_", "stalwart_tls_report_", "stalwart_arf_")
    assert dict(of_reports(reports)) == wanted
    assert [report.unknown for report in reports] == [{}] * 9


def test_the_server_is_recognised():
    """Generation, edition, permissions and our own name, from answers that refuse nothing."""
    server = JmapServer.recorded()

    identity = asked(server, lambda client: client.identify(), identify=False)

    assert (identity.generation, identity.edition, identity.note) == (Generation.JMAP, Edition.COMMUNITY, "")
    assert identity.account == "watcher@example.test"
    assert {"sysQueuedMessageQuery", "liveMetrics"} <= (identity.permissions or set())
    assert [(row.path, row.status) for row in server.asked] == [
        ("/api/account", 200),
        ("/jmap/session", 200),
        ("/api/schema", 404),
    ]


def test_the_queue_cannot_be_seen_to_be_paused():
    """Nothing is asked for it."""
    server = JmapServer.recorded()

    running = asked(server, lambda client: client.fetch_queue_running(), identify=False)

    assert running is None
    assert server.asked == []


def test_every_line_of_the_log_is_read():
    """The recorded lines, newest first, and the deliveries that they tell of."""
    recorded: list[dict[str, Any]] = JmapServer.recorded().rows["Log"]

    lines = asked(JmapServer.recorded(), lambda client: client.fetch_newest_log_lines(limit=1000))

    assert [line.event_id for line in lines] == [row["event"] for row in recorded]
    assert {line.level for line in lines} == {"info", "warn"}
    failed = next(line for line in lines if line.event_id == "delivery.dsn-perm-fail")
    assert failed.delivery is not None
    assert (failed.delivery.recipient, failed.delivery.hostname) == ("u@expire.test", "mx.expire.test")
    assert failed.delivery.queue_id == 342000190686772224
