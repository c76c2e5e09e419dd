"""How pages show a check: its name, and the colour of its result."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model.posture import Check, CheckResult

CHECK_NAMES: Mapping[Check, str] = {
    Check.MX: "MX",
    Check.SPF: "SPF",
    Check.DKIM: "DKIM",
    Check.DMARC: "DMARC",
    Check.DMARC_REPORTS: "DMARC reports",
    Check.MTA_STS: "MTA-STS",
    Check.TLS_RPT: "TLS-RPT",
    Check.TLS_REPORTS: "TLS reports",
    Check.DANE: "DANE",
    Check.AUTOCONFIG: "Autoconfig",
    Check.FCRDNS: "FCrDNS",
    Check.HELO: "HELO",
    Check.REPORTERS: "Reporters",
    Check.CERTIFICATE_HANDSHAKE: "TLS handshake",
    Check.CERTIFICATE_NAMES: "Certificate names",
    Check.CERTIFICATE_CHAIN: "Certificate chain",
    Check.CERTIFICATE_VALIDITY: "Certificate validity",
    Check.CERTIFICATE_RENEWAL: "Certificate renewal",
    Check.BLOCKLISTS: "Blocklists",
}
COLOURS: Mapping[CheckResult, str] = {CheckResult.GOOD: "good", CheckResult.BAD: "bad", CheckResult.UNKNOWN: "wait"}


def check_name(check: Check) -> str:
    """Return a check's name as pages show it."""
    return CHECK_NAMES.get(check, check.value.replace("_", " "))
