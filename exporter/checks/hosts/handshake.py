"""A TLS handshake as client over a connection that exists, which keeps what was shown even if it is not trusted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from exporter.checks.hosts.access import HostWrong

T = TypeVar("T")

MOST_CERTIFICATES = 10
MOST_BYTES = 1 << 20
"""What a server may send in one session; a handshake takes a few kilobytes."""

CHUNK_BYTES = 16 * 1024

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: dates are judged by themselves, so that an expired certificate still has a chain."""


def trusting(ca_file: Path | None) -> tuple[ssl.SSLContext, bool]:
    """
    Return a context that trusts *ca_file*, or the system's authorities, and whether there are any. Reads files.

    Names and dates are not verified. Raises OSError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    else:
        context.load_default_certs()
    return context, _has_authorities(context)


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Whether *context* trusts anybody; authorities in a directory are read when they are needed."""
    directory = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509"]) or (directory is not None and any(Path(directory).iterdir()))


class TlsSession:
    """One session. *host* is the name that is asked for (SNI)."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._left = MOST_BYTES
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self) -> str:
        """
        Shake hands; return why the certificate is not trusted, otherwise an empty text.

        Raises `ssl.SSLError` and OSError if there is no handshake, and `HostWrong` if the host sends too much.
        """
        try:
            await self._drive(self._tls.do_handshake)
        except ssl.SSLCertVerificationError as error:
            await self._flush()
            return error.verify_message or "it cannot be verified"
        return ""

    @property
    def version(self) -> str:
        """The protocol, such as ``TLSv1.3``."""
        return self._tls.version() or ""

    def shown(self) -> list[bytes]:
        """Return the certificates that were shown, the server's own first, in DER."""
        return self._chain("get_unverified_chain")

    def verified(self) -> list[bytes]:
        """Return the certificates from the server's own to the trusted one, in DER; empty if it is not trusted."""
        return self._chain("get_verified_chain")

    def _chain(self, name: str) -> list[bytes]:
        # Public from Python 3.13 on.
        source: Any = getattr(self._tls, name, None) or getattr(getattr(self._tls, "_sslobj", None), name, None)
        found = source() if source is not None else None
        return [_der(one) for one in (found or ())[:MOST_CERTIFICATES]]

    async def read(self) -> bytes:
        """Return what the server says next; empty at the end."""
        try:
            return await self._drive(lambda: self._tls.read(CHUNK_BYTES))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def write(self, data: bytes) -> None:
        """Send *data*."""
        await self._drive(lambda: self._tls.write(data))
        await self._flush()

    async def close(self) -> None:
        """Say that the session ends, without waiting for the server's answer."""
        with contextlib.suppress(ssl.SSLError):  # the answer of the server is missing
            self._tls.unwrap()
        await self._flush()

    async def _drive(self, step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            else:
                await self._flush()
                return done

    async def _receive(self) -> None:
        piece = await self._reader.read(CHUNK_BYTES)
        self._left -= len(piece)
        if self._left < 0:
            raise HostWrong("sends too much")
        if piece:
            self._incoming.write(piece)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()


def _der(certificate: Any) -> bytes:
    # From Python 3.13 on these are bytes, before they are objects.
    return certificate if isinstance(certificate, bytes) else certificate.public_bytes(2)
