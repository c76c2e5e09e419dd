"""
The policy file of MTA-STS, over HTTPS.

Contract: RFC 8461, section 3.3: the certificate must be valid for the policy host, redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import httpx

from exporter.checks.hosts.access import HostAccess, HostSilent, HostWrong

MOST_BYTES = 64 * 1024
PATH = "/.well-known/mta-sts.txt"


async def fetch_policy(host: str, address: str, access: HostAccess) -> str:
    """Fetch the policy of *host* from its *address*. Raises `HostSilent` or `HostWrong`."""
    literal = f"[{address}]" if ":" in address else address
    url = f"https://{literal}:{access.https_port}{PATH}"
    tls = access.tls if access.tls is not None else await asyncio.to_thread(_system_trust)
    try:
        async with (
            asyncio.timeout(access.timeout_seconds),
            httpx.AsyncClient(verify=tls, trust_env=False, timeout=access.timeout_seconds) as client,
            client.stream("GET", url, headers={"Host": host}, extensions={"sni_hostname": host}) as response,
        ):
            if response.status_code in (429, 503):
                raise HostSilent(f"is too busy (status {response.status_code})")
            if response.status_code != 200:
                raise HostWrong(f"the status is {response.status_code} instead of 200")
            return (await _read(response)).decode("utf-8", "replace")
    except (TimeoutError, httpx.TimeoutException) as error:
        raise HostSilent("no answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _failure(error) from error


def _system_trust() -> ssl.SSLContext:
    """Return a context that trusts the system's authorities; reads files."""
    return ssl.create_default_context()


async def _read(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HostWrong("the policy is too long")
    return body


def _failure(error: BaseException) -> HostSilent | HostWrong:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return HostWrong(f"the certificate is not valid: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return HostWrong("the TLS handshake fails")
        if isinstance(cause, ConnectionRefusedError):
            return HostWrong("the connection is refused")
    if isinstance(error, httpx.RemoteProtocolError):
        return HostWrong("the answer is not HTTP")
    return HostSilent(f"cannot be reached ({type(error).__name__})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
