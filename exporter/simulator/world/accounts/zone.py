"""The DNS records that the server wants published for a domain."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import NamedTuple

RSA_HEAD = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
RSA_TAIL = bytes.fromhex("0203010001")
RSA_BYTES = 256
ED25519_BYTES = 32
CHUNK = 255
CONFIG_DIGEST = "pAuzHZtdHNVeIba11BzcJgxl/Ll2V1iEgbXXhUPbb24="
"""Of the document for mail clients, which does not depend on the domain."""


class WantedRecord(NamedTuple):
    """One record; texts are not quoted and not split."""

    kind: str
    name: str
    content: str


class PublicKey(NamedTuple):
    """A published DKIM key; *kind* is ``rsa`` or ``ed25519``."""

    selector: str
    kind: str
    key: str


def new_public_key(kind: str, rng: random.Random) -> str:
    """Return a key of the right form and length, in base64."""
    if kind == "rsa":
        return b64encode(RSA_HEAD + b"\xc1" + rng.randbytes(RSA_BYTES - 1) + RSA_TAIL).decode()
    return b64encode(rng.randbytes(ED25519_BYTES)).decode()


def key_records(domain: str, keys: list[PublicKey]) -> list[WantedRecord]:
    """Return the records of the DKIM keys."""
    return [
        WantedRecord("TXT", f"{key.selector}._domainkey.{domain}.", f"v=DKIM1; k={key.kind}; h=sha256; p={key.key}")
        for key in keys
    ]


def rest_records(domain: str, host: str, keys: list[PublicKey]) -> list[WantedRecord]:
    """Return what ``/api/dns/records`` lists, in its order."""
    report = f"mailto:postmaster@{domain}"
    return [
        WantedRecord("MX", f"{domain}.", f"10 {host}."),
        WantedRecord("CNAME", f"mail.{domain}.", f"{host}."),
        *key_records(domain, keys),
        *([WantedRecord("TXT", f"{host}.", "v=spf1 a ra=postmaster -all")] if host.endswith(f".{domain}") else []),
        WantedRecord("TXT", f"{domain}.", "v=spf1 mx ra=postmaster -all"),
        WantedRecord("SRV", f"_imap._tcp.{domain}.", f"0 1 143 {host}."),
        WantedRecord("SRV", f"_submission._tcp.{domain}.", f"0 1 587 {host}."),
        WantedRecord("TXT", f"_dmarc.{domain}.", f"v=DMARC1; p=reject; rua={report}; ruf={report}"),
        WantedRecord("TXT", f"_smtp._tls.{domain}.", f"v=TLSRPTv1; rua={report}"),
    ]


SERVICES = (("caldavs", 443), ("carddavs", 443), ("imaps", 993), ("jmap", 443), ("pop3s", 995), ("submissions", 465))


def zone_records(domain: str, host: str, keys: list[PublicKey]) -> list[WantedRecord]:
    """Return the records of ``dnsZoneFile``, in its order."""
    report = f"mailto:postmaster@{domain}"
    return [
        *key_records(domain, keys),
        *([WantedRecord("TXT", f"{host}.", "v=spf1 a -all")] if host.endswith(f".{domain}") else []),
        WantedRecord("TXT", f"{domain}.", "v=spf1 mx -all"),
        WantedRecord("MX", f"{domain}.", f"10 {host}."),
        WantedRecord("TXT", f"_dmarc.{domain}.", f"v=DMARC1; p=reject; rua={report}"),
        *(WantedRecord("SRV", f"_{name}._tcp.{domain}.", f"0 1 {port} {host}.") for name, port in SERVICES),
        WantedRecord("CNAME", f"mta-sts.{domain}.", f"{host}."),
        WantedRecord("TXT", f"_mta-sts.{domain}.", "v=STSv1; id=1174151114417012272"),
        WantedRecord("TXT", f"_smtp._tls.{domain}.", f"v=TLSRPTv1; rua={report}"),
        WantedRecord("CNAME", f"ua-auto-config.{domain}.", f"{host}."),
        WantedRecord("TXT", f"_ua-auto-config.{domain}.", f"v=UAAC1; a=sha256; d={CONFIG_DIGEST}"),
        WantedRecord("CNAME", f"autoconfig.{domain}.", f"{host}."),
        WantedRecord("CNAME", f"autodiscover.{domain}.", f"{host}."),
    ]


def zone_file(domain: str, host: str, keys: list[PublicKey]) -> str:
    """Return ``dnsZoneFile``."""
    records = zone_records(domain, host, keys)
    return "".join(f"{record.name} IN {record.kind} {_data(record)}\n" for record in records)


def _data(record: WantedRecord) -> str:
    if record.kind != "TXT":
        return record.content
    text = record.content.replace("\\", "\\\\").replace('"', '\\"')
    if len(text) <= CHUNK:
        return f'"{text}"'
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    return "(\n" + "".join(f'    "{chunk}"\n' for chunk in chunks) + ")"
