"""One connection to one listener: what it shows."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass

from exporter.checks.hosts.access import HostRefused, HostSilent, HostWrong
from exporter.checks.hosts.dialogue import DIALOGUES
from exporter.checks.hosts.handshake import TlsSession
from exporter.checks.hosts.lines import LINE_BYTES, BufferedLines, PlainLines
from exporter.model.outside import Port

LEAVE_SECONDS = 2.0
"""How long a server may take to take note of the end of the session."""


class NotTls(HostWrong):
    """A listener answers a handshake with something else, and may take the handshake for an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """
    What a listener has shown.

    Attributes:
        certificates: In DER, the server's own first; never empty.
        path: From the server's own certificate to the trusted one, in DER; empty if it is not trusted.
        untrusted: Why it is not trusted; otherwise empty.
        version: The version of TLS; empty if the handshake was ended because the certificate is not trusted.
    """

    certificates: list[bytes]
    path: list[bytes]
    untrusted: str
    version: str


async def probe(
    host: str, address: str, port: Port, greeting: str, context: ssl.SSLContext, *, timeout_seconds: float
) -> Shown:
    """
    Connect once, shake hands and leave.

    *greeting* is the name for EHLO. Raises `HostSilent` (`HostRefused` if the connection is refused) or `HostWrong`.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(address, port.number, limit=LINE_BYTES)
            dialogue = DIALOGUES[port.protocol]
            if dialogue.begin is not None:
                await dialogue.begin(PlainLines(reader, writer), greeting)
            return await _shake_hands(TlsSession(reader, writer, context, host), port)
    except TimeoutError as error:
        raise HostSilent("no answer in time") from error
    except ssl.SSLEOFError as error:
        raise HostSilent("closes the connection") from error
    except ssl.SSLError as error:
        raise _not_shaken(error) from error
    except ConnectionRefusedError as error:
        raise HostRefused("refuses connections") from error
    except (OSError, EOFError, ValueError) as error:
        raise HostSilent(f"cannot be reached ({type(error).__name__})") from error
    finally:
        if writer is not None:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _shake_hands(session: TlsSession, port: Port) -> Shown:
    untrusted = await session.handshake()
    shown = Shown(
        certificates=session.shown(),
        path=[] if untrusted else session.verified(),
        untrusted=untrusted,
        version="" if untrusted else session.version,
    )
    if not shown.certificates:
        raise HostWrong("shows no certificate")
    if not untrusted:
        await _leave(session, port)
    return shown


async def _leave(session: TlsSession, port: Port) -> None:
    """End the session as the protocol has it; that a server does not answer is no matter."""
    dialogue = DIALOGUES[port.protocol]
    with contextlib.suppress(TimeoutError, OSError, EOFError, HostWrong, HostSilent):
        async with asyncio.timeout(LEAVE_SECONDS):
            lines = BufferedLines(session.read, session.write)
            if dialogue.greets:
                await lines.receive()
            if dialogue.leave:
                await lines.send(dialogue.leave)
                await lines.receive()
            await session.close()


_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)


def _not_shaken(error: ssl.SSLError) -> HostWrong:
    if error.reason in _NOT_TLS:
        return NotTls("answers without TLS")
    reason = (error.reason or "").lower().replace("_", " ")
    return HostWrong(f"the TLS handshake fails ({reason})" if reason else "the TLS handshake fails")
