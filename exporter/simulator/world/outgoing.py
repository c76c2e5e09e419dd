"""Reports that the server is collecting for others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.simulator.world.telemetry.snowflake import Snowflakes
from exporter.simulator.world.values import rfc3339

DAY_SECONDS = 86_400
Kind = Literal["dmarc", "tls"]


@dataclass(slots=True)
class OutgoingReport:
    """A report due at the end of its period; `begin` and `due` are Unix seconds, `number` is its id over JMAP."""

    kind: Kind
    domain: str
    policy_hash: int
    number: int
    begin: int
    due: int
    sessions: int = 0
    messages: dict[tuple[str, bool], int] = field(default_factory=dict)

    @property
    def report_id(self) -> str:
        """The id as lists show it."""
        return f"{self.kind[0]}!{self.domain}!{self.policy_hash}!{self.begin}!{self.due}"

    @property
    def rua(self) -> str:
        """The address of the report's recipient."""
        return "dmarc@ok.test" if self.kind == "dmarc" else "tls@ok.test"

    def to_json(self, submitter: str, *, capitalised: bool) -> dict[str, Any]:
        """Return the report as built on request."""
        body = self._dmarc(submitter) if self.kind == "dmarc" else self._tls(submitter)
        rua: list[dict[str, Any]] = [{"Mail": self.rua}]
        if self.kind == "dmarc":
            rua = [{"uri": self.rua, "max_size": 0}]
        return {
            "type": self.kind.capitalize() if capitalised else self.kind,
            "id": self.report_id,
            "domain": self.domain,
            "range_from": rfc3339(self.begin),
            "range_to": rfc3339(self.due),
            "report": body,
            "rua": rua,
        }

    def _tls(self, submitter: str) -> dict[str, Any]:
        failure = {
            "result-type": "starttls-not-supported",
            "sending-mta-ip": None,
            "receiving-mx-hostname": f"mx.{self.domain}",
            "receiving-mx-helo": None,
            "receiving-ip": "192.0.2.11",
            "failed-session-count": self.sessions,
            "additional-information": None,
            "failure-reason-code": "STARTTLS was not advertised by host",
        }
        policy = {
            "policy-type": "no-policy-found",
            "policy-string": [],
            "policy-domain": self.domain,
            "mx-host": [],
        }
        summary = {"total-successful-session-count": 0, "total-failure-session-count": self.sessions}
        return {
            "organization-name": submitter,
            "date-range": {"start-datetime": rfc3339(self.begin), "end-datetime": rfc3339(self.due)},
            "contact-info": None,
            "report-id": f"{self.begin}_{self.policy_hash}",
            "policies": [{"policy": policy, "summary": summary, "failure-details": [failure]}],
        }

    def _dmarc(self, submitter: str) -> dict[str, Any]:
        return {
            "version": 0.0,
            "report_metadata": {
                "org_name": submitter,
                "email": f"noreply-dmarc@{submitter}",
                "extra_contact_info": None,
                "report_id": f"{self.policy_hash}_{self.begin}",
                "date_range": {"begin": self.begin, "end": self.due},
                "error": [],
            },
            "policy_published": {
                "domain": self.domain,
                "version_published": None,
                "adkim": "Relaxed",
                "aspf": "Relaxed",
                "p": "Reject",
                "sp": "Reject",
                "testing": False,
                "fo": "0",
            },
            "record": [self._record(ip, passed, count) for (ip, passed), count in self.messages.items()],
            "extensions": [],
        }

    def _record(self, ip: str, passed: bool, count: int) -> dict[str, Any]:
        def checked(domain: str, scope: str, result: str) -> dict[str, Any]:
            return {"domain": domain, "scope": scope, "result": result, "human_result": None}

        result = "Pass" if passed else "Fail"
        return {
            "row": {
                "source_ip": ip,
                "count": count,
                "policy_evaluated": {
                    "disposition": "Pass" if passed else "Reject",
                    "dkim": "Fail",
                    "spf": result,
                    "reason": [],
                },
            },
            "identifiers": {"envelope_to": None, "envelope_from": self.domain, "header_from": self.domain},
            "auth_results": {
                "dkim": [],
                "spf": [checked(f"out.{self.domain}", "Helo", "None"), checked(self.domain, "MailFrom", result)],
            },
            "extensions": [],
        }


class OutgoingReports:
    """Reports being collected, by kind, domain and day."""

    def __init__(self, ids: Snowflakes) -> None:
        self._ids = ids
        self._collecting: dict[tuple[Kind, str, int], OutgoingReport] = {}

    def collect(self, kind: Kind, domain: str, now: float, policy_hash: int, *, aligned: bool = True) -> OutgoingReport:
        """Return the current report about a domain, started if there is none; `aligned` ones cover calendar days."""
        for report in self._collecting.values():
            if report.kind == kind and report.domain == domain and report.due > now:
                return report
        begin = int(now) // DAY_SECONDS * DAY_SECONDS if aligned else int(now)
        report = OutgoingReport(kind, domain, policy_hash, self._ids.next(now), begin, begin + DAY_SECONDS)
        self._collecting[kind, domain, begin] = report
        return report

    def take_due(self, now: float) -> list[OutgoingReport]:
        """Remove and return the reports whose period has ended."""
        due = [key for key, report in self._collecting.items() if report.due <= now]
        return [self._collecting.pop(key) for key in due]

    def ascending(self) -> list[OutgoingReport]:
        """Return all reports, ascending by due time."""
        return sorted(self._collecting.values(), key=lambda report: (report.due, report.kind, report.domain))
