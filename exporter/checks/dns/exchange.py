"""One DNS query to one resolver: UDP, then TCP if the answer is truncated. Wrong ids and questions are ignored."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from exporter.checks.budget import QueryBudget

PAYLOAD_BYTES = 1232
"""What fits into one packet on any path."""


class ResolverAddress(NamedTuple):
    """The address of a resolver."""

    host: str
    port: int = 53


class ExchangeFailed(Exception):
    """
    No usable response; the message says why.

    Attributes:
        silent: There was no response at all.
    """

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


async def exchange(
    name: dns.name.Name,
    kind: dns.rdatatype.RdataType,
    resolver: ResolverAddress,
    budget: QueryBudget,
    *,
    timeout_seconds: float,
) -> dns.message.Message:
    """Return the response, whose rcode is NOERROR or NXDOMAIN. Raises `ExchangeFailed`."""
    query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD_BYTES)
    query.flags |= dns.flags.AD
    response = await _ask(query, resolver, budget, timeout_seconds)
    if response.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
        plain = dns.message.make_query(name, kind)
        response = await _ask(plain, resolver, budget, timeout_seconds)
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise ExchangeFailed(f"the resolver answers {dns.rcode.to_text(response.rcode())}")
    return response


async def _ask(
    query: dns.message.Message, resolver: ResolverAddress, budget: QueryBudget, timeout_seconds: float
) -> dns.message.Message:
    response = await _once(query, resolver, budget, timeout_seconds, tcp=False)
    if response.flags & dns.flags.TC:
        response = await _once(query, resolver, budget, timeout_seconds, tcp=True)
    if response.flags & dns.flags.TC:
        raise ExchangeFailed("the resolver truncates its answer")
    return response


async def _once(
    query: dns.message.Message, resolver: ResolverAddress, budget: QueryBudget, timeout_seconds: float, *, tcp: bool
) -> dns.message.Message:
    """Send *query* once. The library's timeouts are not used: before Python 3.12 they may swallow a cancellation."""
    await budget.wait()
    try:
        async with asyncio.timeout(timeout_seconds):
            if tcp:
                return await dns.asyncquery.tcp(query, resolver.host, port=resolver.port)
            return await dns.asyncquery.udp(
                query, resolver.host, port=resolver.port, ignore_unexpected=True, ignore_errors=True
            )
    except (TimeoutError, dns.exception.Timeout) as error:
        raise ExchangeFailed("the resolver does not answer", silent=True) from error
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        raise ExchangeFailed(f"the resolver cannot be asked ({type(error).__name__})", silent=True) from error
