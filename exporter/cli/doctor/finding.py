"""The findings of `doctor` about a server, and the exit status for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.cli.doctor.domains import DomainFindings

EXIT_TROUBLE = 1
EXIT_MISSING = 3

FAILED = "failed"
"""Shown instead of a status if a capability could not be queried."""


@dataclass(slots=True)
class Finding:
    """
    The findings about one server.

    Attributes:
        account: The user name of the credentials, if they have one.
        trouble: Why the examination failed or was incomplete.
        capabilities: The status of each, or `FAILED`; one that could not be determined is missing.
        meanings: What a status means and what to do about it, if there is anything to do.
        missing_permissions: Permissions that would make a capability available.
        warnings: What works but should be changed.
        defects: Known defects of the server's release.
        streams, log: Problems of the live streams and of the log.
        domains: Results of the domain checks.
        webhook: Problems of the webhook, as the daemon has seen it.
        native_login_refused: Whether the server's metrics page refuses the configured login.
    """

    server: str
    url: str
    account: str = ""
    api: str = ""
    edition: str = ""
    version: str = ""
    trouble: str = ""
    note: str = ""
    capabilities: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)
    missing_permissions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    native_login_refused: bool = False
    domains: DomainFindings = field(default_factory=DomainFindings)
    defects: list[str] = field(default_factory=list)
    streams: str = ""
    log: str = ""
    webhook: list[str] = field(default_factory=list)


def exit_status(findings: Sequence[Finding]) -> int:
    """Return 1 if a server, or a part of one, failed or refused a login; 3 if permissions are missing; otherwise 0."""
    if any(found.trouble or found.native_login_refused or FAILED in found.capabilities.values() for found in findings):
        return EXIT_TROUBLE
    return EXIT_MISSING if any(found.missing_permissions for found in findings) else 0
