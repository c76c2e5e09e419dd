"""Answers of a REST server about reports, made to measure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

EPOCH = 1_632_280_000
"""Where the server's ids begin to count, in Unix seconds."""

Json = dict[str, Any]


def report_id(received_at: datetime, number: int = 0, *, keep_days: int = 30) -> str:
    """An id as the server makes it."""
    seconds = int(received_at.timestamp())
    return f"{((seconds - EPOCH) * 1000 << 21) + number}_{seconds + keep_days * 86400}"


def body(report: object, sender: str = "noreply@reporter.test") -> bytes:
    """The answer to a request for one report."""
    mail = {"from": sender, "to": ["postmaster@example.test"], "subject": "Report", "report": report}
    return json.dumps({"data": mail}, separators=(",", ":")).encode()


def listing(ids: Sequence[str], *, page: int = 1, limit: int = 0) -> bytes:
    """The answer to a request for ids; *ids* newest first."""
    start = max(0, page - 1) * limit
    shown = ids[start : start + limit] if limit else ids
    return json.dumps({"data": {"items": list(shown), "total": len(ids)}}).encode()


def record(
    messages: Any = 1,
    *,
    source: Any = "192.0.2.1",
    disposition: str = "None",
    dkim: str = "Pass",
    spf: str = "Pass",
    domain: str = "example.test",
) -> Json:
    """One row of a DMARC report."""
    return {
        "row": {
            "source_ip": source,
            "count": messages,
            "policy_evaluated": {"disposition": disposition, "dkim": dkim, "spf": spf, "reason": []},
        },
        "identifiers": {"envelope_to": None, "envelope_from": "", "header_from": domain},
        "auth_results": {
            "dkim": [{"domain": domain, "selector": "s1", "result": dkim, "human_result": None}],
            "spf": [{"domain": domain, "scope": "MailFrom", "result": spf, "human_result": None}],
        },
        "extensions": [],
    }


def dmarc(
    id_: str = "r-1",
    *,
    reporter: Any = "reporter.test",
    domain: Any = "example.test",
    begin: Any = 1_795_132_800,
    end: Any = 1_795_219_199,
    records: Iterable[Json] | None = None,
    **published: Any,
) -> Json:
    """A DMARC report."""
    return {
        "version": 1.0,
        "report_metadata": {
            "org_name": reporter,
            "email": "dmarc@reporter.test",
            "extra_contact_info": None,
            "report_id": id_,
            "date_range": {"begin": begin, "end": end},
            "error": [],
        },
        "policy_published": {
            "domain": domain,
            "version_published": None,
            "adkim": "Relaxed",
            "aspf": "Relaxed",
            "p": "None",
            "sp": "Unspecified",
            "testing": False,
            "fo": None,
            **published,
        },
        "record": [record()] if records is None else list(records),
        "extensions": [],
    }


def tls(
    id_: str = "t-1",
    *,
    reporter: Any = "reporter.test",
    policies: Iterable[Json] | None = None,
    start: str = "2026-11-20T00:00:00Z",
    end: str = "2026-11-20T23:59:59Z",
) -> Json:
    """A TLS report."""
    return {
        "organization-name": reporter,
        "date-range": {"start-datetime": start, "end-datetime": end},
        "contact-info": "tls@reporter.test",
        "report-id": id_,
        "policies": [tls_policy()] if policies is None else list(policies),
    }


def tls_policy(
    kind: str = "sts",
    *,
    domain: str = "example.test",
    successes: Any = 10,
    failures: Any = 0,
    details: Iterable[tuple[str, Any]] = (),
) -> Json:
    """One policy of a TLS report."""
    return {
        "policy": {"policy-type": kind, "policy-string": [], "policy-domain": domain, "mx-host": [f"mx.{domain}"]},
        "summary": {"total-successful-session-count": successes, "total-failure-session-count": failures},
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
            for result, count in details
        ],
    }


def arf(kind: str = "Abuse", **fields: Any) -> Json:
    """A feedback report."""
    return {
        "feedback_type": kind,
        "arrival_date": 1_795_255_200,
        "authentication_results": [],
        "incidents": 1,
        "original_envelope_id": None,
        "original_mail_from": "<alice@example.test>",
        "original_rcpt_to": "<user@reporter.test>",
        "reported_domain": ["example.test"],
        "reported_uri": [],
        "reporting_mta": None,
        "source_ip": "192.0.2.3",
        "user_agent": "lab/1",
        "version": 1,
        "source_port": 0,
        "auth_failure": "Unspecified",
        "delivery_result": "Unspecified",
        "dkim_adsp_dns": None,
        "dkim_canonicalized_body": None,
        "dkim_canonicalized_header": None,
        "dkim_domain": None,
        "dkim_identity": None,
        "dkim_selector": None,
        "dkim_selector_dns": None,
        "spf_dns": None,
        "identity_alignment": "Unspecified",
        "message": None,
        "headers": None,
        **fields,
    }


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
