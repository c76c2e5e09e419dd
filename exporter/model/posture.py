"""What a domain's DNS should be and what it is: wanted records, checks and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

CHUNK_BYTES = 255
"""The most bytes of one character string of a TXT record."""

SEEN_LENGTH = 300
"""The most characters of one sentence about what was seen."""

SEEN_MOST = 12
"""The most sentences about one check."""


class CheckResult(StrEnum):
    """The result of a check; unknown means that it could not be decided, for example without a resolver."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Check(StrEnum):
    """Everything that is checked, in the order of tables."""

    MX = "mx"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    DMARC_REPORTS = "dmarc_reports"
    MTA_STS = "mta_sts"
    TLS_RPT = "tls_rpt"
    TLS_REPORTS = "tls_reports"
    DANE = "dane"
    AUTOCONFIG = "autoconfig"
    FCRDNS = "fcrdns"
    HELO = "helo"
    REPORTERS = "reporters"
    CERTIFICATE_HANDSHAKE = "certificate_handshake"
    CERTIFICATE_NAMES = "certificate_names"
    CERTIFICATE_CHAIN = "certificate_chain"
    CERTIFICATE_VALIDITY = "certificate_validity"
    CERTIFICATE_RENEWAL = "certificate_renewal"
    BLOCKLISTS = "blocklists"


CERTIFICATE_CHECKS = frozenset(check for check in Check if check.startswith("certificate_"))
"""Checks of a listener."""

HOST_CHECKS = CERTIFICATE_CHECKS | {Check.BLOCKLISTS}
"""Checks of parts of the server: of listeners and of addresses."""

_PART = "|"
"""Occurs in no host name and no address."""


def subject_of(owner: str, part: str) -> str:
    """Return what a check of a part of *owner* is kept under, such as ``mx.example.org|465/ipv6``."""
    return f"{owner}{_PART}{part}"


def split_subject(subject: str) -> tuple[str, str]:
    """Return the owner and the part; the part is empty for a check of a whole domain or server."""
    owner, _, part = subject.partition(_PART)
    return owner, part


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    One DNS record.

    Attributes:
        name: Without a final dot.
        type: ``TXT``, ``MX`` and so on.
        content: The text of a TXT record, one character per byte and not split; otherwise the data as in a zone file,
            host names with a final dot.
    """

    name: str
    type: str
    content: str

    def zone_line(self) -> str:
        """Return the record as a line of a zone file, in printable ASCII: texts escaped and split into chunks."""
        data = zone_text(self.content) if self.type == "TXT" else self.content
        return f"{self.name}. IN {self.type} {data}"


def zone_text(text: str) -> str:
    r"""Return the text of a TXT record as in a zone file: ``"chunk" "chunk"``, with ``\"``, ``\\`` and ``\DDD``."""
    raw = text.encode("latin-1", "replace")
    chunks = [raw[start : start + CHUNK_BYTES] for start in range(0, len(raw), CHUNK_BYTES)] or [b""]
    return " ".join('"' + "".join(map(_escaped, chunk)) + '"' for chunk in chunks)


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A file to publish over HTTPS."""

    url: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDomain:
    """
    A domain of a server.

    Attributes:
        id: By which the server's API finds it.
        name: As from `exporter.domains.domain_name`.
    """

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainWants:
    """
    What a server wants published for one of its domains.

    Attributes:
        name: As from `exporter.domains.domain_name`.
        records: ``None`` if they are not known: not read yet, or not disclosed to the key.
    """

    name: str
    records: Sequence[Record] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """
    The result of one check.

    Attributes:
        domain: The domain, or the host name for a check of the server itself; with a part, see `subject_of`.
        seen: Sentences about what was seen, printable and bounded.
        publish: Records that would make the result good, where records can.
        remove: Published records that they replace.
        files: Files that would make the result good.
    """

    domain: str
    check: Check
    result: CheckResult
    seen: Sequence[str] = ()
    publish: Sequence[Record] = ()
    remove: Sequence[Record] = ()
    files: Sequence[PolicyFile] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """
    A check's latest result, as the history has it.

    Attributes:
        known: The latest result that was not unknown; ``None`` if there was none.
        changed_at: When *known* last changed between good and bad, otherwise when it was first seen; in Unix seconds.
        checked_at: When the check last ran, in Unix seconds.
    """

    outcome: CheckOutcome
    known: CheckResult | None
    changed_at: int | None
    checked_at: int


class ProbeStage(StrEnum):
    """The stages of a delivery, in their order."""

    MX_LOOKUP = "mx_lookup"
    MTA_STS_FETCH = "mta_sts_fetch"
    TLS_RPT_LOOKUP = "tls_rpt_lookup"
    MTA_STS_VERIFY = "mta_sts_verify"
    TLSA_LOOKUP = "tlsa_lookup"
    IP_LOOKUP = "ip_lookup"
    CONNECTION = "connection"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    DANE_VERIFY = "dane_verify"
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    QUIT = "quit"


class ProbeResult(StrEnum):
    """How a delivery diagnosis ended."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    FAILED = "failed"
    """Without a reply of the remote host: DNS, connection, TLS."""

    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryProbe:
    """
    A delivery diagnosis by the server.

    Attributes:
        domain: The domain of the target.
        stage: The stage that decided, or that it had come to.
        seconds: Time spent in each stage, summed over all hosts.
    """

    domain: str
    stage: ProbeStage
    result: ProbeResult
    seconds: Mapping[ProbeStage, float]


class SpamResult(StrEnum):
    """What the spam filter would do with a message."""

    HAM = "ham"
    SPAM = "spam"
    REJECT = "reject"
    DISCARD = "discard"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamProbe:
    """
    The classification of a message.

    Attributes:
        message: ``clean`` or ``spam``: what it is.
        score: The filter's score; the higher, the more likely spam.
    """

    message: str
    score: float
    result: SpamResult
