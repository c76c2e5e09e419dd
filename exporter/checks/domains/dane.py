"""DANE: the TLSA records of the mail hosts match the certificates that they show."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from exporter.checks.dns.answers import Tlsa
from exporter.checks.domains.context import DomainContext, Findings
from exporter.checks.hosts.access import HostSilent, HostWrong
from exporter.checks.hosts.der import DerError, public_key_info
from exporter.model.posture import Check, CheckOutcome, Record

MOST_HOSTS = 4
AUTHORITY, OWN = 2, 3


async def check_dane(context: DomainContext) -> CheckOutcome | None:
    """
    Check the mail hosts that have TLSA records, or should; nothing to check if there is none.

    Contract: RFC 7672, section 3. Without an answer that DNSSEC has validated, nothing is known.
    """
    findings = Findings()
    publish: list[Record] = []
    remove: list[Record] = []
    mail_hosts = await context.resolver.mail_hosts(context.domain)
    checked = False
    for mx in sorted(mail_hosts.values)[:MOST_HOSTS]:
        name = f"_25._tcp.{mx.host}"
        wanted = context.wanted("TLSA", name)
        answer = await context.resolver.certificates(name)
        if answer.failed:
            if wanted:
                checked = True
                findings.unknown(f"{name}: {answer.why}")
            continue
        if not answer.values and not (wanted and answer.authenticated):
            continue
        checked = True
        if not answer.values:
            findings.bad(f"{name}: is not published")
            publish += wanted
        elif not (answer.authenticated and mail_hosts.authenticated):
            findings.unknown(f"{name}: no trusted resolver has validated the answer with DNSSEC")
        else:
            repaired = await _compare(context, mx.host, answer.values, findings)
            publish += repaired and (wanted or repaired)
            remove += [_record(name, tlsa) for tlsa in answer.values] if repaired else []
    return findings.outcome(context.domain, Check.DANE, publish=publish, remove=remove) if checked else None


async def _compare(context: DomainContext, host: str, records: Sequence[Tlsa], findings: Findings) -> list[Record]:
    """Compare the records with the certificates of *host*; return a record that matches if none does."""
    addresses = await context.resolver.addresses(host)
    if not addresses.values:
        findings.unknown(f"{host}: {addresses.why or 'has no address'}")
        return []
    try:
        greeting = context.ours.host or host
        certificates = await context.hosts.certificates(host, addresses.values[0], greeting)
        key = public_key_info(certificates[0])
    except (HostSilent, HostWrong, DerError) as error:
        findings.unknown(f"{host}: {error}")
        return []
    if any(matches(record, certificates) for record in records):
        findings.note(f"{host}: a TLSA record matches the certificate")
        return []
    usable = any(record.usage in (AUTHORITY, OWN) for record in records)
    why = "no TLSA record matches the certificate" if usable else "no TLSA record is usable for mail"
    findings.bad(f"{host}: {why}")
    return [_record(f"_25._tcp.{host}", Tlsa(OWN, 1, 1, hashlib.sha256(key).digest()))]


def matches(record: Tlsa, certificates: Sequence[bytes]) -> bool:
    """Whether *record* matches the first certificate (usage 3), or one of the others (usage 2)."""
    if record.selector not in (0, 1):
        return False
    candidates = {OWN: certificates[:1], AUTHORITY: certificates[1:]}.get(record.usage, ())
    for certificate in candidates:
        try:
            chosen = public_key_info(certificate) if record.selector == 1 else certificate
        except DerError:
            continue
        if _matched(record.matching, chosen) == record.data:
            return True
    return False


def _matched(matching: int, data: bytes) -> bytes | None:
    """Return what a record of this matching type has of *data*; ``None`` for an unknown type."""
    match matching:
        case 0:
            return data
        case 1:
            return hashlib.sha256(data).digest()
        case 2:
            return hashlib.sha512(data).digest()
    return None


def _record(name: str, tlsa: Tlsa) -> Record:
    content = f"{tlsa.usage} {tlsa.selector} {tlsa.matching} {tlsa.data.hex()}"
    return Record(name=name, type="TLSA", content=content)
