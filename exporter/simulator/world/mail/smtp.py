"""Incoming mail: submissions by local users, mail from outside, reports, and failed logins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exporter.simulator.world import reports
from exporter.simulator.world.accounts.directory import Directory
from exporter.simulator.world.context import Context
from exporter.simulator.world.mail.queue import Message
from exporter.simulator.world.mail.spool import Spool
from exporter.simulator.world.reports import ReportStore, StoredReport
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.values import Address, Cause, Duration, Keys, Timestamp, Value

OUTSIDE_HOST = "out.partner.test"
OUTSIDE_IP = "192.0.2.30"

_FEEDBACK_EVENTS = {
    "Abuse": "abuse-report",
    "AuthFailure": "auth-failure-report",
    "Fraud": "fraud-report",
    "NotSpam": "not-spam-report",
    "Virus": "virus-report",
    "Other": "other-report",
}


class Sessions:
    """Simulates SMTP and IMAP sessions; each takes no time."""

    def __init__(
        self,
        context: Context,
        spool: Spool,
        directory: Directory,
        stored: ReportStore,
    ) -> None:
        self._context = context
        self._spool = spool
        self._directory = directory
        self._stored = stored

    def submit(
        self, sender: str, recipients: Sequence[str], size: int, *, priority: int = 0, env_id: str | None = None
    ) -> Message:
        """Submit a message from an account."""
        listener, port = ("submissions", 465) if self._context.profile.jmap else ("submission", 587)
        span = self._open(listener, port, "127.0.0.1")
        self._raise(span, "smtp.ehlo", domain="client.example.test")
        self._succeed(span, sender.partition("@")[0])
        self._envelope(span, sender, recipients)
        self._check_signatures(span)
        message = self._spool.add("authenticated", sender, recipients, size, span, priority=priority, env_id=env_id)
        self._close(span)
        return message

    def receive(self, sender: str, recipients: Sequence[str], size: int, ip: str = OUTSIDE_IP) -> Message | None:
        """Receive mail from outside; None if every recipient was refused."""
        span = self._greet_outside(sender, ip)
        accepted = [address for address in recipients if self._accepts(span, address)]
        if not accepted:
            self._close(span, 1000)
            return None
        for address in accepted:
            self._raise(span, "smtp.rcpt-to", to=address)
        self._check_signatures(span)
        self._check_dmarc(span, sender, ip)
        message = self._spool.add("message", sender, accepted, size, span)
        self._close(span)
        return message

    def receive_report(self, kind: reports.Kind, sender: str, to: str, subject: str, report: Any) -> StoredReport:
        """Receive a report by mail, which is stored instead of delivered."""
        self._report_session(sender, to)
        self._log_report(kind, report)
        self._context.touch_store(writes=1)
        self._context.journal.ledger.reports[kind] += 1
        now = self._context.now()
        return self._stored.add(kind, self._context.ids, now, sender=sender, to=to, subject=subject, report=report)

    def receive_broken_report(self, sender: str, to: str) -> None:
        """Receive a DMARC report that cannot be parsed; nothing is stored."""
        span = self._report_session(sender, to)
        reason = "Error at position 17: Syntax(UnclosedTag)"
        self._raise(
            span,
            "incoming-report.dmarc-parse-failed",
            **{"from": sender},
            reason=reason,
            causedBy="crates/smtp/src/reporting/analysis.rs:231",
        )

    def log_in(self, name: str, ip: str, *, succeeds: bool, protocol: str = "imap", tries: int = 1) -> None:
        """Log in over IMAP or SMTP; a client may try several mechanisms in one session."""
        listener, port = ("submission", 587) if protocol == "smtp" else (protocol, 143)
        span = self._open(listener, port, ip, protocol)
        if protocol == "smtp":
            self._raise(span, "smtp.ehlo", domain="client.example.test")
        for _ in range(tries):
            if succeeds:
                self._succeed(span, name)
            else:
                self._raise(span, "auth.failed", accountName=name)
        self._close(span, 7 if succeeds else 1000, protocol)

    def _open(self, listener: str, port: int, ip: str, protocol: str = "smtp") -> Span:
        keys: Keys = {
            "listenerId": listener,
            "localPort": port,
            "remoteIp": Address(ip),
            "remotePort": self._context.rng.randint(32_768, 60_999),
        }
        return self._context.open_span(f"{protocol}.connection-start", keys)

    def _close(self, span: Span, milliseconds: int = 0, protocol: str = "smtp") -> None:
        if protocol == "smtp":
            self._raise(span, "smtp.quit")
        took = milliseconds + self._context.rng.randint(5, 40)
        self._context.close_span(f"{protocol}.connection-end", span, {"elapsed": Duration(took)})

    def _raise(self, span: Span, event_id: str, **keys: Value) -> None:
        self._context.journal.raise_event(event_id, keys, span)

    def _succeed(self, span: Span, name: str) -> None:
        account = self._directory.accounts.get(name)
        account_id = account.account_id if account is not None else None
        self._raise(span, "auth.success", accountName=name, accountId=account_id)

    def _envelope(self, span: Span, sender: str, recipients: Sequence[str]) -> None:
        self._raise(span, "smtp.mail-from", **{"from": sender})
        for address in recipients:
            self._raise(span, "smtp.rcpt-to", to=address)

    def _check_signatures(self, span: Span) -> None:
        elapsed = self._context.elapsed(0, 1)
        self._raise(span, "smtp.dkim-fail", strict=False, result=(), elapsed=elapsed)
        if self._context.profile.jmap:
            return
        if self._context.profile.misses_signers:
            self._raise(span, "arc.sealer-not-found", id=f"rsa-{self._context.profile.local_domain}")
        self._raise(span, "smtp.arc-pass", strict=False, result=Cause("dkim.none"), elapsed=elapsed)

    def _greet_outside(self, sender: str, ip: str) -> Span:
        span = self._open("smtp", 25, ip)
        elapsed = self._context.elapsed
        self._raise(span, "smtp.ehlo", domain=OUTSIDE_HOST)
        if not self._context.profile.jmap:
            self._raise(span, "eval.store-not-found", id="trusted-networks")
        none = Cause("spf.none")
        self._raise(span, "smtp.spf-ehlo-fail", domain=OUTSIDE_HOST, result=none, elapsed=elapsed(1, 2))
        genuine = ip == OUTSIDE_IP
        if genuine:
            result = Cause("iprev.pass", {"details": (f"{OUTSIDE_HOST}.",)})
            self._raise(span, "smtp.iprev-pass", domain=OUTSIDE_HOST, result=result, elapsed=elapsed(0, 3))
        else:
            missing = Cause("mail-auth.dns-record-not-found", {"code": "Non-Existent Domain"})
            result = Cause(
                "iprev.perm-error", {"causedBy": missing, "details": (f"host-{ip.replace('.', '-')}.test.",)}
            )
            self._raise(span, "smtp.iprev-fail", domain=OUTSIDE_HOST, result=result, elapsed=elapsed(0, 3))
        known = sender.endswith("@partner.test")
        verdict = ("pass" if genuine else "fail") if known else "none"
        self._raise(
            span,
            "smtp.spf-from-pass" if verdict == "pass" else "smtp.spf-from-fail",
            domain=OUTSIDE_HOST,
            **{"from": sender},
            result=Cause(f"spf.{verdict}"),
            elapsed=elapsed(0, 1),
        )
        self._raise(span, "smtp.mail-from", **{"from": sender})
        return span

    def _accepts(self, span: Span, address: str) -> bool:
        if not address.lower().endswith(f"@{self._context.profile.local_domain}"):
            self._raise(span, "smtp.relay-not-allowed", to=address)
            return False
        if self._directory.mailbox(address) is None:
            self._raise(span, "smtp.mailbox-does-not-exist", to=address)
            return False
        limit = self._context.limits.turn_away(address.rpartition("@")[2].lower(), self._context.now())
        if limit is not None:
            self._raise(span, "smtp.rate-limit-exceeded", **limit.keys)
            self._raise(span, "smtp.rate-limit-exceeded", to=address)
            return False
        return True

    def _check_dmarc(self, span: Span, sender: str, ip: str) -> None:
        domain = sender.rpartition("@")[2]
        passed = domain == "partner.test" and ip == OUTSIDE_IP
        self._raise(
            span,
            "smtp.dmarc-pass" if passed else "smtp.dmarc-fail",
            strict=False,
            domain=domain,
            policy="reject" if domain == "partner.test" else "none",
            result=Cause("dmarc.pass" if passed else "dmarc.none"),
            elapsed=self._context.elapsed(0, 1),
        )
        if domain == "partner.test":
            policy_hash = self._context.rng.getrandbits(64)
            aligned = not self._context.profile.jmap
            report = self._context.outgoing.collect("dmarc", domain, self._context.now(), policy_hash, aligned=aligned)
            report.messages[ip, passed] = report.messages.get((ip, passed), 0) + 1

    def _report_session(self, sender: str, to: str) -> Span:
        span = self._greet_outside(sender, OUTSIDE_IP)
        self._raise(span, "smtp.rcpt-to", to=to)
        self._check_signatures(span)
        self._check_dmarc(span, sender, OUTSIDE_IP)
        self._close(span)
        return span

    def _log_report(self, kind: reports.Kind, report: Any) -> None:
        raised = {"dmarc": _dmarc_events, "tls": _tls_events, "arf": _arf_events}[kind](report)
        for event_id, keys in raised:
            self._context.journal.raise_event(f"incoming-report.{event_id}", keys)


def _dmarc_events(report: dict[str, Any]) -> list[tuple[str, Keys]]:
    rows = [record["row"]["policy_evaluated"] for record in report["record"]]

    def number(field: str, *values: str) -> int:
        return sum(1 for row in rows if row[field] in values)

    warned = any(
        row["dkim"] == "Fail" or row["spf"] == "Fail" or row["disposition"] in ("Quarantine", "Reject") for row in rows
    )
    metadata = report["report_metadata"]
    keys: Keys = {
        "rangeFrom": Timestamp(metadata["date_range"]["begin"]),
        "rangeTo": Timestamp(metadata["date_range"]["end"]),
        "domain": report["policy_published"]["domain"],
        "from": metadata["email"],
        "id": metadata["report_id"],
        "dmarcPass": number("disposition", "Pass"),
        "dmarcQuarantine": number("disposition", "Quarantine"),
        "dmarcReject": number("disposition", "Reject"),
        "dmarcNone": number("disposition", "None", "Unspecified"),
        "dkimPass": number("dkim", "Pass"),
        "dkimFail": number("dkim", "Fail"),
        "dkimNone": number("dkim", "Unspecified"),
        "spfPass": number("spf", "Pass"),
        "spfFail": number("spf", "Fail"),
        "spfNone": number("spf", "Unspecified"),
    }
    return [("dmarc-report-with-warnings" if warned else "dmarc-report", keys)]


def _camel(kebab: str) -> str:
    return "".join(part.capitalize() for part in kebab.split("-")).replace("Starttls", "StartTls")


def _tls_events(report: dict[str, Any]) -> list[tuple[str, Keys]]:
    raised: list[tuple[str, Keys]] = []
    for policy in report["policies"][:5]:
        failed = policy["summary"]["total-failure-session-count"]
        kinds = ", ".join(f"{_camel(detail['result-type'])}: 1" for detail in policy["failure-details"])
        keys: Keys = {
            "rangeFrom": _parsed(report["date-range"]["start-datetime"]),
            "rangeTo": _parsed(report["date-range"]["end-datetime"]),
            "domain": policy["policy"]["policy-domain"],
            "from": report["contact-info"] or "",
            "id": report["report-id"],
            "policy": _camel(policy["policy"]["policy-type"]),
            "totalSuccesses": policy["summary"]["total-successful-session-count"],
            "totalFailures": failed,
            "details": f"{{{kinds}}}",
        }
        raised.append(("tls-report-with-warnings" if failed else "tls-report", keys))
    return raised


def _parsed(stamp: str) -> Timestamp:
    return Timestamp(datetime.fromisoformat(stamp).timestamp())


def _arf_events(report: dict[str, Any]) -> list[tuple[str, Keys]]:
    keys: Keys = {
        "rangeFrom": Timestamp(report["arrival_date"]),
        "domain": tuple(report["reported_domain"]),
        "hostname": report["reporting_mta"],
        "url": tuple(report["reported_uri"]),
        "remoteIp": Address(report["source_ip"]),
        "total": report["incidents"],
        "result": report["delivery_result"],
        "details": tuple(report["authentication_results"]),
    }
    return [(_FEEDBACK_EVENTS[report["feedback_type"]], keys)]
