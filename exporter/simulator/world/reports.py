"""Bodies of DMARC, TLS and ARF reports in the server's decoded form, and their store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from exporter.simulator.world.telemetry.snowflake import Snowflakes
from exporter.simulator.world.values import rfc3339

Kind = Literal["dmarc", "tls", "arf"]
KINDS: tuple[Kind, ...] = ("dmarc", "tls", "arf")
RETENTION_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRow:
    """One record of an aggregate report; results are spelled in lower case as in the XML."""

    source_ip: str
    count: int
    disposition: str = "none"
    dkim: str = "pass"
    spf: str = "pass"


def dmarc_body(
    *, org: str, report_id: str, domain: str, begin: int, end: int, rows: Sequence[DmarcRow], policy: str = "none"
) -> dict[str, Any]:
    """Return a DMARC aggregate report."""
    return {
        "version": 1.0,
        "report_metadata": {
            "org_name": org,
            "email": f"dmarc@{org}",
            "extra_contact_info": None,
            "report_id": report_id,
            "date_range": {"begin": begin, "end": end},
            "error": [],
        },
        "policy_published": {
            "domain": domain,
            "version_published": None,
            "adkim": "Relaxed",
            "aspf": "Relaxed",
            "p": policy.capitalize(),
            "sp": policy.capitalize(),
            "testing": False,
            "fo": None,
        },
        "record": [_dmarc_record(domain, row) for row in rows],
        "extensions": [],
    }


def _dmarc_record(domain: str, row: DmarcRow) -> dict[str, Any]:
    dkim, spf = row.dkim.capitalize(), row.spf.capitalize()
    return {
        "row": {
            "source_ip": row.source_ip,
            "count": row.count,
            "policy_evaluated": {
                "disposition": row.disposition.capitalize(),
                "dkim": dkim,
                "spf": spf,
                "reason": [],
            },
        },
        "identifiers": {"envelope_to": None, "envelope_from": "", "header_from": domain},
        "auth_results": {
            "dkim": [{"domain": domain, "selector": "s1", "result": dkim, "human_result": None}],
            "spf": [{"domain": domain, "scope": "Unspecified", "result": spf, "human_result": None}],
        },
        "extensions": [],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """One policy of a TLS report; `failures` are result types as in RFC 8460 with their session counts."""

    policy_type: str = "sts"
    successes: int
    failed: int = 0
    failures: tuple[tuple[str, int], ...] = ()


def tls_body(
    *, org: str, report_id: str, domain: str, begin: int, end: int, policies: Sequence[TlsPolicy]
) -> dict[str, Any]:
    """Return a TLS report."""
    return {
        "organization-name": org,
        "date-range": {"start-datetime": rfc3339(begin), "end-datetime": rfc3339(end)},
        "contact-info": f"tls@{org}",
        "report-id": report_id,
        "policies": [_tls_policy(domain, policy) for policy in policies],
    }


def _tls_policy(domain: str, policy: TlsPolicy) -> dict[str, Any]:
    return {
        "policy": {
            "policy-type": policy.policy_type,
            "policy-string": [],
            "policy-domain": domain,
            "mx-host": [f"mx.{domain}"],
        },
        "summary": {
            "total-successful-session-count": policy.successes,
            "total-failure-session-count": policy.failed,
        },
        "failure-details": [
            {
                "result-type": result,
                "sending-mta-ip": "198.51.100.7",
                "receiving-mx-hostname": f"mx.{domain}",
                "receiving-mx-helo": None,
                "receiving-ip": None,
                "failed-session-count": count,
                "additional-information": None,
                "failure-reason-code": None,
            }
            for result, count in policy.failures
        ],
    }


def arf_body(*, feedback_type: str, reporter: str, domain: str, source_ip: str, arrival: int) -> dict[str, Any]:
    """Return an abuse report; `feedback_type` is `Abuse`, `AuthFailure`, `Fraud`, `NotSpam`, `Other` or `Virus`."""
    absent = (
        *("original_envelope_id", "reporting_mta", "dkim_adsp_dns", "dkim_canonicalized_body"),
        *("dkim_canonicalized_header", "dkim_domain", "dkim_identity", "dkim_selector", "dkim_selector_dns"),
        *("spf_dns", "message", "headers"),
    )
    unspecified = ("auth_failure", "delivery_result", "identity_alignment")
    return {
        **dict.fromkeys(absent),
        **dict.fromkeys(unspecified, "Unspecified"),
        "feedback_type": feedback_type,
        "arrival_date": arrival,
        "authentication_results": [],
        "incidents": 1,
        "original_mail_from": f"<alice@{domain}>",
        "original_rcpt_to": f"<user@{reporter}>",
        "reported_domain": [domain],
        "reported_uri": [],
        "source_ip": source_ip,
        "user_agent": "lab/1",
        "version": 1,
        "source_port": 0,
    }


@dataclass(frozen=True, slots=True)
class StoredReport:
    """An incoming report; over REST, `number` and `expires` are both parts of its id."""

    number: int
    received: int
    expires: int
    body: dict[str, Any]

    @property
    def report_id(self) -> str:
        """The id as lists show it."""
        return f"{self.number}_{self.expires}"


class ReportStore:
    """Incoming reports of each kind until they expire, `retention` seconds after receipt."""

    def __init__(self, retention: float = RETENTION_SECONDS) -> None:
        self._retention = retention
        self._stored: dict[Kind, list[StoredReport]] = {kind: [] for kind in KINDS}

    def add(
        self, kind: Kind, ids: Snowflakes, now: float, *, sender: str, to: str, subject: str, report: Any
    ) -> StoredReport:
        """Store a report received now; `report` may have any shape, including invalid ones."""
        body = {"from": sender, "to": [to], "subject": subject, "report": report}
        stored = StoredReport(ids.next(now), int(now), int(now + self._retention), body)
        self._stored[kind] = [kept for kept in self._stored[kind] if kept.expires > now]
        self._stored[kind].append(stored)
        return stored

    def newest_first(self, kind: Kind, now: float, text: str = "") -> list[StoredReport]:
        """Return unexpired reports, descending by expiry and id; `text` is searched in the whole body."""
        found: Iterable[StoredReport] = (stored for stored in self._stored[kind] if stored.expires > now)
        if text:
            found = (stored for stored in found if text in str(stored.body).lower())
        return sorted(found, key=lambda stored: (stored.expires, stored.number), reverse=True)

    def get(self, kind: Kind, report_id: str, now: float) -> StoredReport | None:
        """Return a report by its whole id; None if unknown, expired or of another kind."""
        return next((s for s in self.newest_first(kind, now) if s.report_id == report_id), None)
