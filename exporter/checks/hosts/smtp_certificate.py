"""The certificates that a mail host shows after STARTTLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from exporter.checks.hosts.access import HostAccess, HostSilent, HostWrong

MOST_LINES = 100
LINE_BYTES = 2048
MOST_CERTIFICATES = 10


async def fetch_certificates(host: str, address: str, greeting: str, access: HostAccess) -> list[bytes]:
    """
    Return the certificates of *host* at *address* in DER, its own first; none is verified.

    *greeting* is the name in EHLO. No message is sent. Raises `HostSilent` or `HostWrong`.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(access.timeout_seconds):
            reader, writer = await asyncio.open_connection(address, access.smtp_port, limit=LINE_BYTES)
            await _expect(reader, "220")
            await _say(writer, f"EHLO {greeting}")
            if "STARTTLS" not in await _expect(reader, "250"):
                raise HostWrong("does not offer STARTTLS")
            await _say(writer, "STARTTLS")
            await _expect(reader, "220")
            await writer.start_tls(_unverified(), server_hostname=host)
            return _shown(writer.get_extra_info("ssl_object"))
    except TimeoutError as error:
        raise HostSilent("no answer in time") from error
    except ssl.SSLError as error:
        raise HostWrong("the TLS handshake fails") from error
    except (OSError, EOFError, ValueError) as error:
        raise HostSilent(f"cannot be reached ({type(error).__name__})") from error
    finally:
        if writer is not None:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\r\n".encode("ascii"))
    await writer.drain()


async def _expect(reader: asyncio.StreamReader, code: str) -> str:
    """Return a reply's lines in upper case."""
    lines = []
    for _ in range(MOST_LINES):
        line = (await reader.readuntil(b"\n")).decode("ascii", "replace").strip()
        lines.append(line[4:].upper())
        if line[3:4] != "-":
            if line[:3] != code:
                raise HostSilent(f"answers {line[:3]} instead of {code}")
            return "\n".join(lines)
    raise HostWrong("the reply does not end")


def _shown(connection: Any) -> list[bytes]:
    own = connection.getpeercert(binary_form=True)
    if not own:
        raise HostWrong("shows no certificate")
    inner = getattr(connection, "_sslobj", None)
    chain = getattr(inner, "get_unverified_chain", None)
    rest = [] if chain is None else [_der(one) for one in (chain() or ())[:MOST_CERTIFICATES]]
    return [own, *(one for one in rest if one != own)]


def _der(certificate: Any) -> bytes:
    # From Python 3.13 on these are bytes, before they are objects.
    return certificate if isinstance(certificate, bytes) else certificate.public_bytes(2)
