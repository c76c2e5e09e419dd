"""
Reports from others about our mail: DMARC aggregate reports, TLS-RPT and ARF feedback.

Texts are untrusted, as the reporter wrote them. Valid domain names are lower-case A-labels. Every ``datetime`` is aware
and in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exporter.clock import unix_second
from exporter.model.posture import CheckResult
from exporter.model.report_words import (
    AlignedResult,
    AlignmentMode,
    AuthFailure,
    AuthResult,
    DeliveryResult,
    DiscoveryMethod,
    Disposition,
    FeedbackType,
    IdentityAlignment,
    OverrideReason,
    SpfScope,
    TlsPolicyType,
    TlsResultType,
)

MAX_COUNTED = 2**53
"""The largest accepted count: beyond it, Prometheus cannot represent every integer."""


class DkimResult(NamedTuple):
    """One checked signature."""

    domain: str
    selector: str
    result: AuthResult
    human_result: str


class SpfResult(NamedTuple):
    """One SPF check."""

    domain: str
    scope: SpfScope
    result: AuthResult
    human_result: str


class Override(NamedTuple):
    """A reason why the policy was not followed, with the receiver's comment."""

    reason: OverrideReason
    comment: str


class DmarcResults(NamedTuple):
    """
    The results of a receiver's checks; many records share one instance.

    Attributes:
        dkim: The evaluated result: passed *and* aligned.
        spf: The same for SPF.
        envelope_to: Empty if not reported, as the other two.
    """

    disposition: Disposition
    dkim: AlignedResult
    spf: AlignedResult
    header_from: str
    envelope_from: str
    envelope_to: str
    dkim_results: tuple[DkimResult, ...]
    spf_results: tuple[SpfResult, ...]
    overrides: tuple[Override, ...]

    @property
    def aligned(self) -> bool:
        """Whether DMARC passed, for which either of the two is enough."""
        return self.dkim is AlignedResult.PASS or self.spf is AlignedResult.PASS


class DmarcRecord(NamedTuple):
    """
    Messages from one source with the same results. (A tuple, since a history has millions.)

    Attributes:
        source_ip: In canonical form; empty if missing or not an address.
        messages: The number of messages.
    """

    source_ip: str
    messages: int
    results: DmarcResults


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcPolicy:
    """
    The policy that a receiver found in DNS.

    Attributes:
        domain: The domain that publishes it.
        subdomain_policy: ``sp``.
        nonexistent_policy: ``np``, from RFC 9990 on.
        percent: ``pct``, up to RFC 7489; ``None`` if not reported.
        testing: ``t=y``: receivers should apply the next milder disposition.
        failure_options: ``fo``, unparsed.
    """

    domain: str
    policy: Disposition
    subdomain_policy: Disposition = Disposition.UNSPECIFIED
    nonexistent_policy: Disposition = Disposition.UNSPECIFIED
    dkim_alignment: AlignmentMode = AlignmentMode.UNSPECIFIED
    spf_alignment: AlignmentMode = AlignmentMode.UNSPECIFIED
    percent: int | None = None
    testing: bool = False
    failure_options: str = ""
    discovery_method: DiscoveryMethod = DiscoveryMethod.UNSPECIFIED


class DmarcReport(NamedTuple):
    """
    One DMARC aggregate report.

    Attributes:
        reporter: The organisation's name; if missing, the domain that the report came from.
        errors: The reporter's error messages.
        generator: The program that created it, from RFC 9990 on.
    """

    reporter: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    policy: DmarcPolicy
    records: Sequence[DmarcRecord]
    email: str = ""
    extra_contact: str = ""
    errors: Sequence[str] = ()
    generator: str = ""

    @property
    def identity(self) -> Sequence[object]:
        """The identity of this report, independent of the id under which, and how often, it is received."""
        return self.reporter, self.report_id, self.policy.domain, unix_second(self.begins_at), unix_second(self.ends_at)

    @property
    def domain(self) -> str:
        """The domain that it concerns."""
        return self.policy.domain

    def messages(self) -> tuple[int, int]:
        """Return the number of messages that were aligned, and of those that were not."""
        aligned = failed = 0
        for record in self.records:
            if record.results.aligned:
                aligned += record.messages
            else:
                failed += record.messages
        return aligned, failed


class TlsFailure(NamedTuple):
    """Sessions that failed for one reason between two hosts; addresses are canonical, missing values empty."""

    result: TlsResultType
    sessions: int
    sending_ip: str
    receiving_host: str
    receiving_helo: str
    receiving_ip: str
    information: str
    reason_code: str


class TlsPolicy(NamedTuple):
    """
    Sessions under one policy.

    Attributes:
        domain: The domain of the policy; ``unknown`` if the report does not name it.
    """

    type: TlsPolicyType
    domain: str
    strings: Sequence[str]
    mx_hosts: Sequence[str]
    successes: int
    failures: int
    details: Sequence[TlsFailure]

    @property
    def key(self) -> tuple[str, str]:
        """The domain and type, which distinguish the policies of one `TlsReport.identity`."""
        return self.domain, self.type.value


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsReport:
    """One SMTP TLS report."""

    reporter: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    policies: Sequence[TlsPolicy]
    contact: str = ""

    @property
    def identity(self) -> Sequence[object]:
        """The identity shared by repetitions of its policies; reports about different domains may share it too."""
        return self.reporter, self.report_id, unix_second(self.begins_at), unix_second(self.ends_at)

    @property
    def domain(self) -> str:
        """The domain of its first policy, which is nearly always that of all."""
        return self.policies[0].domain if self.policies else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArfReport:
    """
    One feedback report, about one message or several similar ones.

    Attributes:
        reporter: The host or domain that it came from.
        source_id: The stable part of the server's id, which is the same in every generation.
        incidents: The number of messages that it represents.
        arrived_at: When the message arrived at the reporter; ``None`` if not reported.
        source_port: 0 if not reported.
    """

    reporter: str
    source_id: str
    feedback_type: FeedbackType
    incidents: int = 1
    arrived_at: datetime | None = None
    user_agent: str = ""
    source_ip: str = ""
    source_port: int = 0
    reporting_mta: str = ""
    envelope_id: str = ""
    mail_from: str = ""
    rcpt_to: str = ""
    domains: Sequence[str] = ()
    uris: Sequence[str] = ()
    authentication_results: Sequence[str] = ()
    auth_failure: AuthFailure = AuthFailure.UNSPECIFIED
    delivery_result: DeliveryResult = DeliveryResult.UNSPECIFIED
    identity_alignment: IdentityAlignment = IdentityAlignment.UNSPECIFIED
    dkim_domain: str = ""
    dkim_identity: str = ""
    dkim_selector: str = ""
    dkim_selector_dns: str = ""
    dkim_adsp_dns: str = ""
    spf_dns: str = ""

    @property
    def identity(self) -> Sequence[object]:
        """The stable part of the server's id: feedback has no id, and equal reports may concern two messages."""
        return (self.source_id,)

    @property
    def domain(self) -> str:
        """The first domain that it names."""
        return self.domains[0] if self.domains else ""


Report = DmarcReport | TlsReport | ArfReport


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """
    What was found out about a source address.

    Attributes:
        result: Good if the name leads back to the address, bad if there is no such name.
        name: The confirmed host name in lower case; empty unless the result is good.
        as_number: The number of its autonomous system; ``None`` if it is not known.
        as_name: Printable and bounded; empty if it is not known.
    """

    address: str
    result: CheckResult
    name: str = ""
    as_number: int | None = None
    as_name: str = ""
