"""
The probe's mailbox over IMAP (RFC 3501, RFC 4315 for deletion), over TLS only.

Messages are recognised by a header of the probe that is fetched: Stalwart indexes neither Message-ID nor headers of
other names by default, so a search for them finds nothing, and its other indexes follow after seconds.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from exporter.errors import PayloadError, TargetRefused, TargetServerError, TargetTLSError
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.prober.round_trip.lines import Lines, Listener
from exporter.stalwart.prober.round_trip.message import HEADER, SUBJECT, token_in

MOST_RESPONSES = 2000
"""The most untagged responses to one command."""

MOST_CANDIDATES = 500
"""The most messages with the probe's subject whose headers are looked at."""

MOST_LITERALS = 16
"""The most literals in one response."""

_LITERAL = re.compile(rb"\{([0-9]{1,9})\+?\}\Z")
_TAGGED = re.compile(rb"(OK|NO|BAD)(?: \[([A-Z-]+)[^\]]*\])?", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\* OK \[UIDNEXT ([0-9]{1,10})\]", re.IGNORECASE)
_FETCH = re.compile(rb"\* [0-9]{1,10} FETCH ", re.IGNORECASE)
_UID = re.compile(rb"\bUID ([0-9]{1,10})\b", re.IGNORECASE)
_SEARCH = re.compile(rb"\* SEARCH((?: [0-9]{1,10})*) ?", re.IGNORECASE)
_PASSING = frozenset({b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG", b"CONTACTADMIN", b"OVERQUOTA"})
"""Codes of a login that failed for another reason than its credentials (RFC 5530)."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Response:
    """
    An untagged response.

    Attributes:
        text: Without its literals.
    """

    text: bytes
    literals: Sequence[bytes]


class Mailbox:
    """
    A session with one mailbox selected.

    Attributes:
        can_delete: The server can delete single messages (UIDPLUS).
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._number = 0
        self._uid_next = 0
        self.can_delete = False

    @classmethod
    async def open(
        cls,
        listener: Listener,
        resolver: Resolver,
        *,
        username: str,
        password: str,
        mailbox: str,
        timeout_seconds: float,
    ) -> Mailbox:
        """Connect, log in and select *mailbox*. Raises `TargetRefused` and what `Lines` raises."""
        session = cls(await Lines.connect(listener, resolver, timeout_seconds=timeout_seconds))
        try:
            await session._begin(listener)
            await session._authenticate(username, password)
            await session._select(mailbox)
        except BaseException:
            await session.aclose()
            raise
        return session

    async def find(self, token: str) -> int | None:
        """Return the UID of the message with this *token* if it has arrived."""
        await self._ask(b"NOOP", "NOOP")
        tokens = await self._tokens(b"%d:*" % self._uid_next)
        return next((uid for uid, found in tokens.items() if found == token), None)

    async def left_over(self, before: date, *, most: int) -> list[int]:
        """Return the UIDs of at most *most* probes that the mailbox received before *before*."""
        day = f"{before.day:02d}-{_MONTHS[before.month - 1]}-{before.year}"
        command = f'UID SEARCH BEFORE {day} SUBJECT "{SUBJECT}"'
        candidates: list[int] = []
        for response in await self._ask(command.encode(), "UID SEARCH"):
            if found := _SEARCH.fullmatch(response.text):
                candidates += map(int, found[1].split())
        chosen = sorted(set(candidates))[:MOST_CANDIDATES]
        tokens = await self._tokens(_set_of(chosen)) if chosen else {}
        return [uid for uid in chosen if tokens.get(uid)][:most]

    async def delete(self, uids: Collection[int]) -> None:
        """Delete these messages and no others; the server must be one that `can_delete`."""
        if not self.can_delete:
            raise TargetServerError("the server cannot delete single messages (no UIDPLUS)")
        await self._ask(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % _set_of(uids), "UID STORE")
        await self._ask(b"UID EXPUNGE %s" % _set_of(uids), "UID EXPUNGE")

    async def aclose(self) -> None:
        """Leave, without expunging anything."""
        await self._lines.aclose(b"z LOGOUT")

    async def _begin(self, listener: Listener) -> None:
        greeting = await self._lines.receive()
        if not greeting.upper().startswith(b"* OK"):
            raise TargetServerError("the server does not accept sessions")
        if not listener.implicit_tls:
            if "STARTTLS" not in await self._capabilities():
                raise TargetTLSError("mailbox: the server offers no STARTTLS")
            await self._ask(b"STARTTLS", "STARTTLS")
            await self._lines.start_tls()

    async def _authenticate(self, username: str, password: str) -> None:
        tag = self._tag()
        await self._lines.send(tag + b" AUTHENTICATE PLAIN")
        _, status = await self._responses(tag, continues=True)
        if status == b"+":
            await self._lines.send(base64.b64encode(f"\0{username}\0{password}".encode()))
            _, status = await self._responses(tag)
        _check_login(status)
        self.can_delete = bool({"UIDPLUS", "IMAP4REV2"} & await self._capabilities())

    async def _select(self, mailbox: str) -> None:
        responses = await self._ask(f'SELECT "{mailbox}"'.encode("ascii"), "SELECT")
        found = next(filter(None, (_UIDNEXT.match(response.text) for response in responses)), None)
        if found is None:
            raise PayloadError("SELECT: no UIDNEXT")
        self._uid_next = int(found[1])

    async def _capabilities(self) -> set[str]:
        responses = await self._ask(b"CAPABILITY", "CAPABILITY")
        words = (response.text.upper().split() for response in responses)
        listed = chain.from_iterable(line[2:] for line in words if line[:2] == [b"*", b"CAPABILITY"])
        return {word.decode("ascii", "replace") for word in listed}

    async def _tokens(self, uids: bytes) -> Mapping[int, str]:
        """Return the tokens of these messages by UID, empty for messages that are not probes."""
        command = b"UID FETCH %s (UID BODY.PEEK[HEADER.FIELDS (%s)])" % (uids, HEADER.upper().encode())
        found: dict[int, str] = {}
        for response in await self._ask(command, "UID FETCH"):
            uid = _UID.search(response.text)
            if uid is not None and _FETCH.match(response.text) and response.literals:
                found[int(uid[1])] = token_in(response.literals[0])
        return found

    async def _ask(self, command: bytes, name: str) -> list[Response]:
        tag = self._tag()
        await self._lines.send(b"%s %s" % (tag, command))
        responses, status = await self._responses(tag)
        parsed = _TAGGED.match(status)
        if parsed is None:
            raise PayloadError(f"{name}: no status")
        if parsed[1].upper() != b"OK":
            raise TargetServerError(f"{name} refused ({_code_of(status) or parsed[1].decode().upper()})")
        return responses

    def _tag(self) -> bytes:
        self._number += 1
        return b"a%d" % self._number

    async def _responses(self, tag: bytes, *, continues: bool = False) -> tuple[list[Response], bytes]:
        """Return the untagged responses up to that with *tag*, and the latter; ``+`` instead if it *continues*."""
        found: list[Response] = []
        while len(found) < MOST_RESPONSES:
            response = await self._response()
            if response.text.startswith(tag + b" "):
                return found, response.text.removeprefix(tag + b" ")
            if continues and response.text.startswith(b"+"):
                return found, b"+"
            if not response.text.startswith(b"* "):
                raise PayloadError("a line that is no response")
            if response.text.upper().startswith(b"* BYE"):
                raise EOFError
            found.append(response)
        raise PayloadError(f"more than {MOST_RESPONSES} responses to one command")

    async def _response(self) -> Response:
        text = await self._lines.receive()
        literals: list[bytes] = []
        while literal := _LITERAL.search(text):
            if len(literals) == MOST_LITERALS:
                raise PayloadError(f"more than {MOST_LITERALS} literals in one response")
            literals.append(await self._lines.receive_exactly(int(literal[1])))
            text = text[: literal.start()] + await self._lines.receive()
        return Response(text, literals)


def _check_login(status: bytes) -> None:
    parsed = _TAGGED.match(status)
    if parsed is None:
        raise PayloadError("AUTHENTICATE: no status")
    if parsed[1].upper() == b"OK":
        return
    code = (parsed[2] or b"").upper()
    if parsed[1].upper() == b"NO" and code not in _PASSING:
        raise TargetRefused("mailbox: login refused")
    raise TargetServerError(f"AUTHENTICATE refused ({_code_of(status) or parsed[1].decode().upper()})")


def _code_of(status: bytes) -> str:
    """Return the response code of a status, bounded; empty without one."""
    parsed = _TAGGED.match(status)
    return parsed[2].decode("ascii", "replace").upper()[:30] if parsed is not None and parsed[2] else ""


def _set_of(uids: Collection[int]) -> bytes:
    return ",".join(map(str, sorted(uids))).encode()
