"""Which clients may see pages with personal data: those with a login, and those of this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

LOGGED_IN = "exporter.logged_in"
"""The key in a scope's ``extensions`` that says that the client has proved who it is."""

ONLY_DOMAIN = "exporter.only_domain"
"""The key in a scope's ``extensions`` with the one domain whose mail the client may see."""

TENANT_PATH = "/mail"
"""The path at and below which a login of one domain is admitted."""

FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
"""Headers that a proxy adds: the client behind it may be anywhere."""

REFUSAL = (
    "This page shows addresses of mail users. It is available from this machine, at 127.0.0.1 or localhost, or with a "
    "login: set web.config_file to a file with basic_auth_users, or with a required client certificate."
)
"""What an operator can do about a refusal."""


def mark_logged_in(scope: Any) -> None:
    """Record that the client of a request has proved who it is."""
    scope.setdefault("extensions", {})[LOGGED_IN] = True


def limit_to_domain(scope: Any, domain: str) -> None:
    """Record that the client of a request may see the mail of *domain* only."""
    scope.setdefault("extensions", {})[ONLY_DOMAIN] = domain


def domain_limit(scope: Mapping[str, Any]) -> str | None:
    """Return the one domain whose mail the client of a request may see; ``None``: all."""
    domain: str | None = scope.get("extensions", {}).get(ONLY_DOMAIN)
    return domain


def is_beyond_limit(scope: Mapping[str, Any]) -> bool:
    """Return whether a request asks for a path that is closed to its client: a login of one domain."""
    path: str = scope["path"]
    return domain_limit(scope) is not None and path != TENANT_PATH and not path.startswith(f"{TENANT_PATH}/")


def may_see_personal_data(scope: Mapping[str, Any]) -> bool:
    """
    Return whether a request may be answered with personal data.

    Over loopback the header ``Host`` must name this machine: a web site whose name resolves to 127.0.0.1 could read
    the page in an operator's browser otherwise. Nor may a proxy have passed the request on.
    """
    if scope.get("extensions", {}).get(LOGGED_IN):
        return True
    is_forwarded = any(name in FORWARDED for name, _ in scope["headers"])
    return is_loopback_connection(scope) and _names_this_machine(_host(scope)) and not is_forwarded


def is_loopback_connection(scope: Mapping[str, Any]) -> bool:
    """Return whether the request came over a loopback address of this machine."""
    return bool(scope["server"] and scope["client"]) and all(
        is_loopback(scope[side][0]) for side in ("client", "server")
    )


def is_loopback(address: str) -> bool:
    """Return whether an IP address is one of loopback; false for other texts."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _host(scope: Mapping[str, Any]) -> str:
    """Return the request's host name without its port; empty if it is missing or repeated."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(values) != 1:
        return ""
    host: str = values[0]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _names_this_machine(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
