"""What is right and wrong with what one listener shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from exporter.checks.domains.context import Findings
from exporter.checks.hosts.access import HostRefused, HostSilent, HostWrong
from exporter.checks.hosts.der import DerError
from exporter.checks.hosts.probe import Shown
from exporter.checks.tls.certificate import Certificate, covers, parse_certificate
from exporter.clock import rfc3339
from exporter.model import inventory
from exporter.model.outside import Listener
from exporter.model.posture import Check, CheckOutcome

MOST_NAMES = 6
NOT_SHOWN = "no certificate was seen"

Seen = Shown | HostSilent | HostWrong
"""What became of one connection."""


@dataclass(slots=True)
class ListenerFinding:
    """
    The checks of one listener.

    Attributes:
        not_after: The earliest end of what its addresses show, in Unix seconds; ``None`` if they show nothing.
    """

    listener: Listener
    outcomes: list[CheckOutcome] = field(default_factory=list)
    not_after: float | None = None


class Judge:
    """
    Judges one listener.

    *stored* are the certificates that the server has stored, empty if it does not disclose them; *refusal* says why a
    refused connection is wrong, and is empty if it says nothing.
    """

    def __init__(
        self, listener: Listener, stored: Sequence[inventory.Certificate], now: datetime, *, refusal: str = ""
    ) -> None:
        self._listener = listener
        self._now = now
        self._refusal = refusal
        self._newest = max((one.not_after for one in stored if covers(one.names, listener.host)), default=None)
        self._ends: list[datetime] = []
        self._findings = {check: Findings() for check in _CHECKS}

    def judge(self, seen: Sequence[tuple[str, Seen]], *, knows_authorities: bool) -> ListenerFinding:
        """Return the checks, after what was *seen* at each address."""
        for address, one in seen:
            found = {check: Findings() for check in _CHECKS}
            if isinstance(one, Shown):
                self._judge_shown(one, found, knows_authorities=knows_authorities)
            else:
                self._judge_failed(one, found)
            prefix = f"{address}: " if len(seen) > 1 else ""
            for check, findings in found.items():
                self._findings[check].take(findings, prefix)
        return self._finding()

    def unknown(self, why: str) -> ListenerFinding:
        """Return the checks of a listener that could not be asked."""
        for findings in self._findings.values():
            findings.unknown(why)
        return self._finding()

    def _finding(self) -> ListenerFinding:
        outcomes = [
            findings.outcome(self._listener.subject, check)
            for check, findings in self._findings.items()
            if check is not Check.CERTIFICATE_RENEWAL or self._newest is not None
        ]
        end = min(self._ends, default=None)
        return ListenerFinding(self._listener, outcomes, None if end is None else end.timestamp())

    def _judge_failed(self, error: HostSilent | HostWrong, found: dict[Check, Findings]) -> None:
        handshake = found[Check.CERTIFICATE_HANDSHAKE]
        if isinstance(error, HostWrong):
            handshake.bad(str(error))
        elif isinstance(error, HostRefused) and self._refusal:
            handshake.bad(f"{error}{self._refusal}")
        else:
            handshake.unknown(str(error))
        for check, findings in found.items():
            if check is not Check.CERTIFICATE_HANDSHAKE:
                findings.unknown(NOT_SHOWN)

    def _judge_shown(self, shown: Shown, found: dict[Check, Findings], *, knows_authorities: bool) -> None:
        found[Check.CERTIFICATE_HANDSHAKE].note(shown.version or "shows a certificate")
        try:
            own = parse_certificate(shown.certificates[0])
            path = [parse_certificate(one) for one in shown.path]
        except DerError as error:
            for check in _CHECKS[1:]:
                found[check].unknown(str(error))
            return
        self._ends.append(own.not_after)
        self._judge_names(own, found[Check.CERTIFICATE_NAMES])
        self._judge_dates(own, found[Check.CERTIFICATE_VALIDITY])
        self._judge_chain(shown, own, path, found[Check.CERTIFICATE_CHAIN], knows_authorities=knows_authorities)
        self._judge_renewal(own, found[Check.CERTIFICATE_RENEWAL])

    def _judge_names(self, own: Certificate, findings: Findings) -> None:
        names = ", ".join(own.names[:MOST_NAMES]) or "no host name"
        if covers(own.names, self._listener.host):
            findings.note(names)
        else:
            findings.bad(f"is for {names}, not for {self._listener.host}")

    def _judge_dates(self, own: Certificate, findings: Findings) -> None:
        if self._now > own.not_after:
            findings.bad(f"has expired at {rfc3339(own.not_after)}")
        elif self._now < own.not_before:
            findings.bad(f"is not valid before {rfc3339(own.not_before)}")
        else:
            findings.note(f"valid until {rfc3339(own.not_after)}")

    def _judge_chain(
        self,
        shown: Shown,
        own: Certificate,
        path: Sequence[Certificate],
        findings: Findings,
        *,
        knows_authorities: bool,
    ) -> None:
        issuer = f"issued by {own.issuer}" if own.issuer else "issuer without a name"
        if shown.untrusted and not knows_authorities:
            findings.unknown(
                "no certificate authorities are installed on the exporter's host; checks.ca_file names some"
            )
        elif shown.untrusted and len(shown.certificates) == 1 and not own.self_issued:
            findings.bad(f"is not trusted: the certificate of its issuer is not sent along, or unknown ({issuer})")
        elif shown.untrusted:
            findings.bad(f"is not trusted: {shown.untrusted} ({issuer})")
        elif late := [one for one in path[1:] if not one.not_before <= self._now <= one.not_after]:
            findings.bad(f"a certificate in its chain is not valid now: it ends at {rfc3339(late[0].not_after)}")
        else:
            findings.note(issuer)

    def _judge_renewal(self, own: Certificate, findings: Findings) -> None:
        if self._newest is None:
            return
        stored = f"although the server has one until {rfc3339(self._newest)}"
        if not covers(own.names, self._listener.host):
            findings.bad(f"a certificate for other names is served, {stored}")
        elif own.not_after < self._newest:
            findings.bad(f"the old certificate is still served: it ends at {rfc3339(own.not_after)}, {stored}")
        else:
            findings.note("the newest that the server has")


_CHECKS = (
    Check.CERTIFICATE_HANDSHAKE,
    Check.CERTIFICATE_NAMES,
    Check.CERTIFICATE_CHAIN,
    Check.CERTIFICATE_VALIDITY,
    Check.CERTIFICATE_RENEWAL,
)
"""In the order of tables; the first one decides whether there is anything for the others."""
