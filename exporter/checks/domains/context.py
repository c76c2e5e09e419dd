"""What every check of a domain gets, and how it collects what it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.checks.dns.answers import Answer
from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.hosts.hosts import Hosts
from exporter.domains import domain_name
from exporter.model.posture import (
    SEEN_LENGTH,
    SEEN_MOST,
    Check,
    CheckOutcome,
    CheckResult,
    DomainWants,
    PolicyFile,
    Record,
)
from exporter.printable import printable, shortened


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSide:
    """
    What belongs to us.

    Attributes:
        host: The server's host name; empty if it is not known.
        addresses: The addresses that mail is sent from; failed if they are not known.
        also: Further host names that receive mail for us, such as a filtering service.
        domains: All domains of the server.
        report_patterns: Addresses whose reports the server analyses, such as ``dmarc@*``; empty if it does not say.
        report_addresses: Further addresses that reports may go to.
    """

    host: str
    addresses: Answer[str]
    also: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    report_patterns: Sequence[str] = ()
    report_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainContext:
    """One domain to check."""

    resolver: DnsResolver
    wants: DomainWants
    ours: OwnSide
    hosts: Hosts

    @property
    def domain(self) -> str:
        """The domain's name."""
        return self.wants.name

    def wanted(self, kind: str, name: str | None = None) -> list[Record]:
        """Return the records of this type, at *name* if one is given, that the server wants."""
        return [r for r in self.wants.records or () if r.type == kind and name in (None, r.name)]


@dataclass(slots=True)
class Findings:
    """What one check saw; the worst counts, and what is certainly bad outweighs what is unknown."""

    result: CheckResult = CheckResult.GOOD
    _wrong: list[str] = field(default_factory=list)
    _unsure: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a sentence; text from DNS is made printable and bounded."""
        self._notes.append(clean(text))

    def bad(self, text: str) -> None:
        """Add what is wrong."""
        self.result = CheckResult.BAD
        self._wrong.append(clean(text))

    def unknown(self, text: str) -> None:
        """Add what could not be found out."""
        if self.result is CheckResult.GOOD:
            self.result = CheckResult.UNKNOWN
        self._unsure.append(clean(text))

    def take(self, other: Findings, prefix: str = "") -> None:
        """Add what a part of the check saw."""
        for texts, more in zip(
            (self._wrong, self._unsure, self._notes), (other._wrong, other._unsure, other._notes), strict=True
        ):
            texts += [clean(prefix + text) for text in more]
        if other.is_bad or self.result is CheckResult.GOOD:
            self.result = other.result

    @property
    def seen(self) -> list[str]:
        """The first sentences: what is wrong, what could not be found out, then the rest."""
        return [*self._wrong, *self._unsure, *self._notes][:SEEN_MOST]

    @property
    def is_bad(self) -> bool:
        """Whether something is wrong."""
        return self.result is CheckResult.BAD

    def outcome(
        self,
        domain: str,
        check: Check,
        *,
        publish: Sequence[Record] = (),
        remove: Sequence[Record] = (),
        files: Sequence[PolicyFile] = (),
    ) -> CheckOutcome:
        """Return the outcome; what to publish is kept only if something is wrong."""
        if not self.is_bad:
            publish, remove, files = (), (), ()
        return CheckOutcome(
            domain=domain,
            check=check,
            result=self.result,
            seen=tuple(self.seen),
            publish=tuple(publish),
            remove=tuple(record for record in remove if record not in publish),
            files=tuple(files),
        )


def clean(text: str) -> str:
    """Return text that may come from DNS, printable and bounded."""
    return shortened(printable(text[: 2 * SEEN_LENGTH]), SEEN_LENGTH)


def texts_of(name: str, texts: Sequence[str]) -> list[Record]:
    """Return published texts as records."""
    return [Record(name=name, type="TXT", content=text) for text in texts]


def as_name(host: str) -> str:
    """Return a host of an answer in the exporter's form; unchanged if it is not a domain name."""
    return domain_name(host) or host


def tags_text(tags: Mapping[str, str]) -> str:
    """Return tags as a record: ``v=TLSRPTv1; rua=mailto:a@example.org``."""
    return "; ".join(f"{name}={value}" for name, value in tags.items())
