"""The two kinds of logins."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.settings.credentials.secret import Secret


@dataclass(frozen=True, slots=True)
class BasicLogin:
    """Credentials of HTTP Basic authentication."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An API key or an OAuth access token."""

    token: Secret
