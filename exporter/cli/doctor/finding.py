"""What `doctor` found out about a server, and the exit status it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

EXIT_TROUBLE = 1
EXIT_MISSING = 3

FAILED = "failed"
"""What is shown in place of a status where a part of the server could not be asked."""


@dataclass(slots=True)
class Finding:
    """
    What was found out about one server.

    Attributes:
        account: The user name that is sent, if it is one.
        trouble: Why nothing, or nothing more, could be found out.
        capabilities: The status of each, or `FAILED`; one that could not be judged is absent.
        meanings: What a status means and what to do about it, where there is something to say.
        missing_permissions: Those whose grant would make something available.
        warnings: What works but should not stay as it is.
        streams, log: What is wrong with the live streams and with the log, in words.
        native_login_refused: The server's own metrics page refuses the configured login.
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
    streams: str = ""
    log: str = ""


def exit_status(findings: Sequence[Finding]) -> int:
    """1 if a server, or a part of one, failed or refused a login; 3 if permissions are missing; else 0."""
    if any(found.trouble or found.native_login_refused or FAILED in found.capabilities.values() for found in findings):
        return EXIT_TROUBLE
    return EXIT_MISSING if any(found.missing_permissions for found in findings) else 0
