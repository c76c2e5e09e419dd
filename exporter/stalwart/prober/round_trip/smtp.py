"""
Submission of one message (RFC 6409) after a login, over TLS only.

Errors quote the codes of a reply, not its text: it may contain addresses.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from exporter.errors import PayloadError, TargetRefused, TargetServerError, TargetTLSError
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.prober.round_trip.lines import Lines, Listener

MOST_LINES = 100
"""The most lines of one reply."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")


class MessageRejected(TargetServerError):
    """The server refused the message for good, with a 5xx reply."""


class MessageDeferred(TargetServerError):
    """The server refused the message for now, with a 4xx reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One reply.

    Attributes:
        code: Three digits, the first 2 to 5.
        lines: The texts after the code.
    """

    code: int
    lines: list[bytes]

    @property
    def shown(self) -> str:
        """The code, with the enhanced one if there is one: ``550 5.7.1``."""
        enhanced = _ENHANCED.match(self.lines[0])
        return f"{self.code} {enhanced[0].decode()}" if enhanced else str(self.code)


class Submission:
    """A session with the submission listener."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    @classmethod
    async def log_in(
        cls,
        listener: Listener,
        resolver: Resolver,
        *,
        greeting: str,
        username: str,
        password: str,
        timeout_seconds: float,
    ) -> Submission:
        """Connect and log in; *greeting* is the name for EHLO. Raises `TargetRefused` and what `Lines` raises."""
        session = cls(await Lines.connect(listener, resolver, timeout_seconds=timeout_seconds))
        try:
            await session._begin(listener, greeting)
            await session._authenticate(username, password)
        except BaseException:
            await session.aclose()
            raise
        return session

    async def send(self, message: bytes, address: str) -> None:
        """Send *message*, with lines that end in CRLF, from *address* to *address*."""
        await self._ask(f"MAIL FROM:<{address}>".encode(), "MAIL FROM", 250)
        await self._ask(f"RCPT TO:<{address}>".encode(), "RCPT TO", 250)
        await self._ask(b"DATA", "DATA", 354)
        dotted = re.sub(rb"^\.", b"..", message, flags=re.MULTILINE)
        await self._ask(dotted.removesuffix(b"\r\n") + b"\r\n.", "end of data", 250)

    async def aclose(self) -> None:
        """Leave."""
        await self._lines.aclose(b"QUIT")

    async def _begin(self, listener: Listener, greeting: str) -> None:
        _expect(await self._reply(), "greeting", 220)
        hello = f"EHLO {greeting}".encode()
        offers = await self._ask(hello, "EHLO", 250)
        if not listener.implicit_tls:
            if b"STARTTLS" not in _words(offers):
                raise TargetTLSError("submission: the server offers no STARTTLS")
            await self._ask(b"STARTTLS", "STARTTLS", 220)
            await self._lines.start_tls()
            offers = await self._ask(hello, "EHLO", 250)
        if not any(line.upper().startswith(b"AUTH ") and b"PLAIN" in line.upper().split() for line in offers.lines):
            raise TargetServerError("submission: the server offers no AUTH PLAIN")

    async def _authenticate(self, username: str, password: str) -> None:
        secret = base64.b64encode(f"\0{username}\0{password}".encode())
        await self._lines.send(b"AUTH PLAIN " + secret)
        reply = await self._reply()
        if reply.code >= 500:
            raise TargetRefused(f"submission: login refused ({reply.shown})")
        _expect(reply, "AUTH", 235)

    async def _ask(self, line: bytes, command: str, code: int) -> Reply:
        await self._lines.send(line)
        return _expect(await self._reply(), command, code)

    async def _reply(self) -> Reply:
        code, texts = 0, []
        for _ in range(MOST_LINES):
            parsed = _LINE.fullmatch(await self._lines.receive())
            if parsed is None or code not in (0, int(parsed[1])):
                raise PayloadError("submission: a line that is no reply")
            code = int(parsed[1])
            texts.append(parsed[3] or b"")
            if parsed[2] != b"-":
                return Reply(code, texts)
        raise PayloadError(f"submission: a reply of more than {MOST_LINES} lines")


def _words(reply: Reply) -> set[bytes]:
    return {line.strip().upper() for line in reply.lines}


def _expect(reply: Reply, command: str, code: int) -> Reply:
    if reply.code == code:
        return reply
    if reply.code >= 500:
        raise MessageRejected(f"submission: {command} rejected ({reply.shown})")
    if reply.code >= 400:
        raise MessageDeferred(f"submission: {command} deferred ({reply.shown})")
    raise PayloadError(f"submission: {command} answered with {reply.code}")
