"""
Reports that others send us about our mail: DMARC aggregates, TLS-RPT and ARF feedback.

Texts in them are whatever the reporter wrote; domain names are lower-case A-labels where they are domain names at all.
Every moment is aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exporter.clock import unix_second
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
"""No honest reporter counts further, and Prometheus could not tell such numbers apart."""


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
    """Why the policy was not followed, with the receiver's own words."""

    reason: OverrideReason
    comment: str


class DmarcResults(NamedTuple):
    """
    What a receiver found out about some messages; many records share one.

    Attributes:
        dkim: The evaluated result: passed *and* aligned.
        spf: The same.
        envelope_to: Empty if not told, as the other two.
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
        """Whether DMARC passed: one of the two is enough."""
        return self.dkim is AlignedResult.PASS or self.spf is AlignedResult.PASS


class DmarcRecord(NamedTuple):
    """
    Messages that a receiver saw from one source with the same results. (A tuple: a history has millions.)

    Attributes:
        source_ip: In its canonical spelling; empty if the receiver did not tell or it is no address.
        messages: How many.
    """

    source_ip: str
    messages: int
    results: DmarcResults


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcPolicy:
    """
    The policy that a receiver found in DNS.

    Attributes:
        domain: Where it is published.
        subdomain_policy: ``sp``.
        nonexistent_policy: ``np``, from RFC 9990 on.
        percent: ``pct``, up to RFC 7489; ``None`` where it is not told.
        testing: ``t=y``: the receiver is asked to act one step milder.
        failure_options: ``fo`` as it stands.
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
        reporter: The organisation as it names itself; where it does not, the domain that the report came from.
        errors: What went wrong at the reporter, in its words.
        generator: The program that made it, from RFC 9990 on.
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
        """What makes it this report, however often and under whatever id it comes."""
        return self.reporter, self.report_id, self.policy.domain, unix_second(self.begins_at), unix_second(self.ends_at)

    @property
    def domain(self) -> str:
        """The domain that it is about."""
        return self.policy.domain

    def messages(self) -> tuple[int, int]:
        """How many messages were aligned, and how many were not."""
        aligned = failed = 0
        for record in self.records:
            if record.results.aligned:
                aligned += record.messages
            else:
                failed += record.messages
        return aligned, failed


class TlsFailure(NamedTuple):
    """Sessions that failed for one reason between two hosts; addresses canonical, what is not told empty."""

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
        domain: Whose policy it is; ``unknown`` if the report does not say.
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
        """What tells the policies under one `TlsReport.identity` apart: the domain and the type."""
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
        """What its policies have in common with their repetitions. Reports about different domains may share it."""
        return self.reporter, self.report_id, unix_second(self.begins_at), unix_second(self.ends_at)

    @property
    def domain(self) -> str:
        """The domain of its first policy; nearly always that of all."""
        return self.policies[0].domain if self.policies else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArfReport:
    """
    One feedback report, about one message or several alike.

    Attributes:
        reporter: The host or domain that it came from.
        source_id: What lasts in the server's id: the same in every generation.
        incidents: How many messages it stands for.
        arrived_at: When the message arrived there; ``None`` if it does not tell.
        source_port: 0 if it does not tell.
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
        """What lasts in the server's id: feedback has none of its own, and equal ones may be about two messages."""
        return (self.source_id,)

    @property
    def domain(self) -> str:
        """The first domain that it names."""
        return self.domains[0] if self.domains else ""


Report = DmarcReport | TlsReport | ArfReport
