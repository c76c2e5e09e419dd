"""
What is said before and after a handshake: STARTTLS, and the end of the session. No mail is sent and nobody logs in.

Contract: RFC 3207 (SMTP), RFC 9051, section 6.2.1 (IMAP), RFC 2595, section 4 (POP3), RFC 5804, section 2.2 (Sieve).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from exporter.checks.hosts.access import HostSilent, HostWrong
from exporter.checks.hosts.lines import Lines
from exporter.model.outside import Protocol

NOT_OFFERED = "does not offer STARTTLS"


async def _begin_smtp(lines: Lines, greeting: str) -> None:
    await smtp_reply(lines, "220")
    await lines.send(f"EHLO {greeting}")
    offered = await smtp_reply(lines, "250")
    if not any(line.upper().split(" ")[0] == "STARTTLS" for line in offered):
        await lines.send("QUIT")
        raise HostWrong(NOT_OFFERED)
    await lines.send("STARTTLS")
    await smtp_reply(lines, "220")


async def smtp_reply(lines: Lines, code: str) -> list[str]:
    """Return the texts of a reply. Raises `HostSilent` if it has another code."""
    texts = []
    while True:
        line = await lines.receive()
        texts.append(line[4:])
        if line[3:4] != "-":
            if line[:3] != code:
                raise HostSilent(f"answers {line[:3]} instead of {code}")
            return texts


async def _begin_imap(lines: Lines, greeting: str) -> None:
    if not (await lines.receive()).upper().startswith("* OK"):
        raise HostSilent("does not greet")
    await lines.send("a1 CAPABILITY")
    offered: list[str] = []
    while not (line := await lines.receive()).startswith("a1 "):
        if line.upper().startswith("* CAPABILITY "):
            offered += line.upper().split(" ")
    if "STARTTLS" not in offered:
        await lines.send("a2 LOGOUT")
        raise HostWrong(NOT_OFFERED)
    await lines.send("a2 STARTTLS")
    while not (line := await lines.receive()).startswith("a2 "):
        pass
    if not line.upper().startswith("A2 OK"):
        raise HostWrong("refuses STARTTLS")


async def _begin_pop3(lines: Lines, greeting: str) -> None:
    await _ok(lines, "+OK", "does not greet")
    await lines.send("CAPA")
    offered: list[str] = []
    if (await lines.receive()).upper().startswith("+OK"):
        while (line := await lines.receive()) != ".":
            offered.append(line.upper())
    if "STLS" not in offered:
        await lines.send("QUIT")
        raise HostWrong(NOT_OFFERED)
    await lines.send("STLS")
    await _ok(lines, "+OK", "refuses STARTTLS")


async def _begin_sieve(lines: Lines, greeting: str) -> None:
    offered = await _sieve_reply(lines)
    if not any(line.upper().startswith('"STARTTLS"') for line in offered):
        await lines.send("LOGOUT")
        raise HostWrong(NOT_OFFERED)
    await lines.send("STARTTLS")
    await _sieve_reply(lines)


async def _sieve_reply(lines: Lines) -> list[str]:
    """Return the lines before ``OK``. Raises `HostSilent` for ``NO`` and ``BYE``."""
    texts: list[str] = []
    while True:
        line = await lines.receive()
        word = line.upper().split(" ")[0]
        if word == "OK":
            return texts
        if word in ("NO", "BYE"):
            raise HostSilent(f"answers {word}")
        texts.append(line)


async def _ok(lines: Lines, word: str, otherwise: str) -> None:
    if not (await lines.receive()).upper().startswith(word):
        raise HostSilent(otherwise)


class Dialogue(NamedTuple):
    """
    What a protocol says around a handshake.

    Attributes:
        begin: Until the server waits for a handshake, with the name for EHLO; ``None`` if it begins with TLS.
        greets: The server speaks first after the handshake.
        leave: Ends the session; empty if there is nothing to say.
    """

    begin: Callable[[Lines, str], Awaitable[None]] | None
    greets: bool
    leave: str


DIALOGUES = {
    Protocol.SMTP: Dialogue(_begin_smtp, greets=False, leave="QUIT"),
    Protocol.SMTPS: Dialogue(None, greets=True, leave="QUIT"),
    Protocol.IMAP: Dialogue(_begin_imap, greets=False, leave="a3 LOGOUT"),
    Protocol.IMAPS: Dialogue(None, greets=True, leave="a1 LOGOUT"),
    Protocol.POP3: Dialogue(_begin_pop3, greets=False, leave="QUIT"),
    Protocol.POP3S: Dialogue(None, greets=True, leave="QUIT"),
    Protocol.SIEVE: Dialogue(_begin_sieve, greets=True, leave="LOGOUT"),
    Protocol.HTTPS: Dialogue(None, greets=False, leave=""),
}
