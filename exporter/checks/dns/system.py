"""The resolvers of the system."""

from __future__ import annotations

import dns.exception
import dns.resolver

from exporter.checks.dns.exchange import ResolverAddress


def system_resolvers() -> tuple[ResolverAddress, ...]:
    """Return the resolvers that the system is configured with; empty if there are none. Reads a file."""
    try:
        found = dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError, ValueError):
        return ()
    return tuple(
        ResolverAddress(server, found.nameserver_ports.get(server, found.port))
        for server in found.nameservers
        if isinstance(server, str) and not server.startswith("https:")
    )
