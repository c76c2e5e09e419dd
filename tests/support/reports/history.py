"""A history file with a known past, made by the collector itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from tests.support.reports import wire
from tests.support.rigs.reports import Rig, rig
from tests.support.servers.reports import ReportServer, serving


@cache
def now() -> datetime:
    """When a history was first asked for: not at import, which may be another day than that of the commands."""
    return datetime.now(UTC).replace(microsecond=0)


def seconds(days_ago: float) -> int:
    """Midnight so many days ago, in Unix seconds."""
    midnight = now().replace(hour=0, minute=0, second=0)
    return int((midnight - timedelta(days=days_ago)).timestamp())


def take_in(path: Path, reports: Iterable[tuple[str, object]]) -> None:
    """Runs the collector against a server that holds these reports, by kind and body or report, oldest first."""
    server = ReportServer()
    for number, (kind, report) in enumerate(reports):
        body = report if isinstance(report, bytes) else wire.body(report)
        server.add(kind, wire.report_id(now() - timedelta(minutes=500 - number), number), body)

    async def run(url: str) -> None:
        async with rig(url, path) as life:
            await Rig.run(life)

    with serving(server) as url:
        asyncio.run(run(url))


def daily(days: int, records: list[wire.Json], *, reporters: int = 2, **published: object) -> list[tuple[str, object]]:
    """The same records in a report of each reporter about each of the last *days*."""
    return [
        (
            "dmarc",
            wire.dmarc(
                f"d-{ago}",
                reporter=f"reporter{number}.test",
                records=records,
                begin=seconds(ago),
                end=seconds(ago - 1) - 1,
                **published,
            ),
        )
        for ago in range(days, 0, -1)
        for number in range(reporters)
    ]


def ordinary() -> list[tuple[str, object]]:
    """Sixty days of example.test, one reporter silent for a month, a new failing source, and the other kinds."""
    reports: list[tuple[str, object]] = []
    for days_ago in range(60, 0, -1):
        span = {"begin": seconds(days_ago), "end": seconds(days_ago - 1) - 1}
        records = [wire.record(100), wire.record(1, source="192.0.2.66", dkim="Fail", spf="Fail", disposition="None")]
        if days_ago <= 5:
            failing = wire.record(40, source="2001:db8::bad", dkim="Fail", spf="Fail", disposition="Quarantine")
            failing["auth_results"]["spf"][0].update(result="Pass", domain="sender.test")
            failing["row"]["policy_evaluated"]["reason"] = [{"type_": "MailingList", "comment": "arc"}]
            records.append(failing)
        reports.append(("dmarc", wire.dmarc(f"r-{days_ago}", records=records, p="None", sp="Reject", **span)))
        if days_ago > 30:
            reports.append(("dmarc", wire.dmarc(f"q-{days_ago}", reporter="quiet.test", **span)))
    reports.append(("dmarc", wire.dmarc("i-1", domain="bücher.test", begin=seconds(3), end=seconds(2))))
    details = [("certificate-expired", 3), ("starttls-not-supported", 1)]
    policies = [wire.tls_policy(failures=4, details=details), wire.tls_policy("tlsa", domain="other.test")]
    reports.append(("tls", wire.tls(policies=policies)))
    feedback = {"arrival_date": seconds(2), "reported_domain": ["example.test"], "auth_failure": "Spf"}
    reports.append(("arf", wire.arf("AuthFailure", **feedback)))
    reports.append(("dmarc", wire.dmarc("bad", records=[wire.record(-1)])))
    return reports
