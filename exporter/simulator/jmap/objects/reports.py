"""Reports of the JMAP generation, converted from the bodies of the REST generation."""

from __future__ import annotations

from typing import Any

from exporter.simulator.jmap.query import Entry, Rules
from exporter.simulator.jmap.wire import Json, as_list, as_set, camel
from exporter.simulator.world.outgoing import OutgoingReport
from exporter.simulator.world.reports import Kind, StoredReport
from exporter.simulator.world.values import rfc3339

REPAIRED_DMARC = (0, 16, 12)
INCOMING_RULES = Rules(
    filters={
        "text": "words",
        "expiresAt": "date",
        "totalSuccessfulSessions": "number",
        "totalFailedSessions": "number",
        "memberTenantId": "equal",
    },
    sorts=frozenset({"id", "expiresAt"}),
    index="expiresAt",
    always_index=True,
)
OUTGOING_RULES = Rules(
    filters={"domain": "equal"}, sorts=frozenset({"id", "domain"}), index="domain", always_index=True
)


def incoming(kind: Kind, stored: StoredReport, release: tuple[int, ...]) -> Entry:
    """Return an incoming report."""
    report = stored.body["report"]
    good, bad = _sessions(kind, report)
    fields = {
        "text": str(stored.body).lower(),
        "expiresAt": stored.expires,
        "totalSuccessfulSessions": good,
        "totalFailedSessions": bad,
        "memberTenantId": None,
    }
    return Entry(stored.number, fields, lambda: _incoming(kind, stored, release))


def _sessions(kind: Kind, report: Any) -> tuple[int, int]:
    """Return successes and failures as the index counts them: one per record or policy, regardless of its sums."""
    match kind, report:
        case "dmarc", {"record": list(records)}:
            good = sum(1 for r in records if r["row"]["policy_evaluated"]["disposition"] == "Pass")
            return good, len(records) - good
        case "tls", {"policies": list(policies)}:
            bad = sum(1 for p in policies if p["summary"]["total-failure-session-count"])
            good = sum(1 for p in policies if p["summary"]["total-successful-session-count"])
            return good, bad
        case "arf", {"incidents": int(incidents)}:
            return incidents, 0
    return 0, 0


def _incoming(kind: Kind, stored: StoredReport, release: tuple[int, ...]) -> Json:
    body = stored.body
    return {
        "report": _report(kind, body["report"], release),
        "from": body["from"],
        "subject": body["subject"],
        "to": as_set(body["to"]),
        "receivedAt": rfc3339(stored.received),
        "expiresAt": rfc3339(stored.expires),
        "memberTenantId": None,
    }


def _report(kind: Kind, report: Any, release: tuple[int, ...]) -> Any:
    """Convert a report to this generation's format; one of any other shape is returned unchanged."""
    try:
        match kind:
            case "dmarc":
                return dmarc(report, release)
            case "tls":
                return tls(report)
            case _:
                return arf(report)
    except (KeyError, TypeError, AttributeError):
        return report


def dmarc(report: Json, release: tuple[int, ...], subdomains: str = "unspecified", walk: str = "unspecified") -> Json:
    """Convert a DMARC aggregate report."""
    about, policy = report["report_metadata"], report["policy_published"]
    shown: Json = {
        "version": report["version"] or 1.0,
        "orgName": about["org_name"],
        "email": about["email"],
        "extraContactInfo": about["extra_contact_info"],
        "reportId": about["report_id"],
        "dateRangeBegin": rfc3339(about["date_range"]["begin"]),
        "dateRangeEnd": rfc3339(about["date_range"]["end"]),
        "errors": as_set(about["error"]),
        "policyDomain": policy["domain"],
        "policyVersion": policy["version_published"],
        "policyAdkim": camel(policy["adkim"]),
        "policyAspf": camel(policy["aspf"]),
        "policyDisposition": camel(policy["p"]),
        "policySubdomainDisposition": camel(policy["sp"]),
        "policyTestingMode": policy["testing"],
        "policyFailureReportingOptions": as_set(["all"] if policy["fo"] == "0" else []),
        "records": as_list(_record(record) for record in report["record"]),
        "extensions": {},
    }
    if release >= REPAIRED_DMARC:
        shown |= {"generator": None, "policyNp": subdomains, "policyDiscoveryMethod": walk}
    return shown


def _record(record: Json) -> Json:
    row, names, results = record["row"], record["identifiers"], record["auth_results"]
    evaluated = row["policy_evaluated"]
    return {
        "sourceIp": row["source_ip"],
        "count": row["count"],
        "evaluatedDisposition": camel(evaluated["disposition"]),
        "evaluatedDkim": camel(evaluated["dkim"]),
        "evaluatedSpf": camel(evaluated["spf"]),
        "policyOverrideReasons": as_list(
            {"overrideType": reason["type_"], "comment": reason["comment"]} for reason in evaluated["reason"]
        ),
        "envelopeTo": names["envelope_to"],
        "envelopeFrom": names["envelope_from"],
        "headerFrom": names["header_from"],
        "dkimResults": as_list(_checked(result, "selector") for result in results["dkim"]),
        "spfResults": as_list(_checked(result, "scope") for result in results["spf"]),
        "extensions": {},
    }


def _checked(result: Json, what: str) -> Json:
    told = result[what] if what == "selector" else camel(result[what])
    return {
        "domain": result["domain"],
        what: told,
        "result": camel(result["result"]),
        "humanResult": result["human_result"],
    }


def _failure_kind(kebab: str) -> str:
    return camel(kebab).replace("starttls", "startTls")


def tls(report: Json) -> Json:
    """Convert a TLS report."""
    return {
        "organizationName": report["organization-name"],
        "contactInfo": report["contact-info"],
        "reportId": report["report-id"],
        "dateRangeStart": report["date-range"]["start-datetime"],
        "dateRangeEnd": report["date-range"]["end-datetime"],
        "policies": as_list(_policy(policy) for policy in report["policies"]),
    }


def _policy(policy: Json) -> Json:
    about, summary = policy["policy"], policy["summary"]
    return {
        "policyType": camel(about["policy-type"]),
        "policyStrings": as_set(about["policy-string"]),
        "policyDomain": about["policy-domain"],
        "mxHosts": as_set(about["mx-host"]),
        "totalSuccessfulSessions": summary["total-successful-session-count"],
        "totalFailedSessions": summary["total-failure-session-count"],
        "failureDetails": as_list(
            {camel(name): value for name, value in detail.items()}
            | {"resultType": _failure_kind(detail["result-type"])}
            for detail in policy["failure-details"]
        ),
    }


def arf(report: Json) -> Json:
    """Convert an abuse report."""
    words = ("feedback_type", "auth_failure", "delivery_result", "identity_alignment")
    sets = {
        "reported_domain": "reportedDomains",
        "reported_uri": "reportedUris",
        "authentication_results": "authenticationResults",
    }
    shown: Json = {}
    for name, value in report.items():
        if name in sets:
            shown[sets[name]] = as_set(value)
        elif name == "arrival_date":
            shown["arrivalDate"] = rfc3339(value)
        else:
            shown[camel(name)] = camel(value) if name in words else value
    shown["sourcePort"] = shown["sourcePort"] or None
    return shown


def outgoing(report: OutgoingReport, submitter: str, release: tuple[int, ...]) -> Entry:
    """Return a report that is being collected."""
    return Entry(report.number, {"domain": report.domain}, lambda: _outgoing(report, submitter, release))


def _outgoing(report: OutgoingReport, submitter: str, release: tuple[int, ...]) -> Json:
    body = report.to_json(submitter, capitalised=False)["report"]
    times = {"domain": report.domain, "createdAt": rfc3339(report.begin), "deliverAt": rfc3339(report.due)}
    if report.kind == "dmarc":
        body["report_metadata"]["report_id"] = f"{report.begin}_{report.policy_hash}"
        shown = dmarc(body, release, "reject", "treewalk")
        return {
            "rua": as_set([report.rua]),
            # At most what JSON parsers keep exact.
            "policyIdentifier": report.policy_hash >> 11,
            "report": shown,
            **times,
        }
    return {
        "policyIdentifiers": as_set([str(report.policy_hash)]),
        "mailRua": as_set([report.rua]),
        "httpRua": {},
        "report": tls(body),
        **times,
    }
