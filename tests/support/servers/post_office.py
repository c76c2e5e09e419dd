"""A submission listener and an IMAP listener with one mailbox between them, which can go wrong command by command."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from email import message_from_bytes
from typing import BinaryIO

ADDRESS, PASSWORD = "probe@example.test", "a probe's secret"
HANG = b""
"""In place of an answer: none."""


@dataclass
class Held:
    """A message in the mailbox."""

    raw: bytes
    received: date
    deleted: bool = False

    def head(self, name: str) -> str:
        return message_from_bytes(self.raw).get(name, "")


@dataclass
class PostOffice:
    """
    What both listeners share.

    Attributes:
        implicit_tls: Otherwise STARTTLS.
        instead: Bytes to send in place of the answer to a command, such as ``UID FETCH``; ``greeting`` is one, too.
        heard: The commands of clients by protocol, without secrets.
        logins: How often a login was tried.
    """

    tls: ssl.SSLContext
    implicit_tls: bool = True
    delivers: bool = True
    capabilities: str = "IMAP4rev1 AUTH=PLAIN UIDPLUS"
    password: str = PASSWORD
    instead: dict[str, bytes] = field(default_factory=dict)
    box: dict[int, Held] = field(default_factory=dict)
    next_uid: int = 40
    heard: dict[str, list[str]] = field(default_factory=lambda: {"smtp": [], "imap": []})
    logins: int = 0
    smtp_port: int = 0
    imap_port: int = 0

    def put(self, raw: bytes, received: date | None = None) -> int:
        """Store a message; its UID."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.box[uid] = Held(raw, received or datetime.now().astimezone().date())
        return uid

    def knows(self, response: str) -> bool:
        """Whether a SASL PLAIN response is the right one."""
        self.logins += 1
        return base64.b64decode(response).decode() == f"\0{ADDRESS}\0{self.password}"


class _Session:
    """One connection."""

    protocol = ""

    def __init__(self, office: PostOffice, connection: socket.socket) -> None:
        self.office = office
        self.connection = connection
        self.lines: BinaryIO = connection.makefile("rb")
        self.secure = False

    def start_tls(self) -> None:
        self.connection = self.office.tls.wrap_socket(self.connection, server_side=True)
        self.lines = self.connection.makefile("rb")
        self.secure = True

    def serve(self) -> None:
        try:
            if self.office.implicit_tls:
                self.start_tls()
            self.talk()
        finally:
            self.lines.close()
            self.connection.close()

    def talk(self) -> None:
        raise NotImplementedError

    def say(self, command: str, answer: bytes) -> None:
        """Answer, unless something else is to be said instead."""
        said = self.office.instead.get(command, answer)
        if said == HANG:
            while self.lines.readline():
                pass
            raise ConnectionError
        self.connection.sendall(said)

    def hear(self) -> str:
        line = self.lines.readline()
        if not line:
            raise ConnectionError
        return line.decode().removesuffix("\r\n")


class SmtpSession(_Session):
    """RFC 5321 with RFC 3207 and RFC 4954."""

    def talk(self) -> None:
        self.say("greeting", b"220 mx.example.test ESMTP\r\n")
        while True:
            line = self.hear()
            verb = line.upper().partition(":")[0].partition(" <")[0]
            verb = verb if verb in ("MAIL FROM", "RCPT TO") else verb.split(" ")[0]
            self.office.heard["smtp"].append(verb)
            if verb == "EHLO":
                offer = b"250-AUTH LOGIN PLAIN\r\n" if self.secure else b"250-STARTTLS\r\n"
                self.say(verb, b"250-mx.example.test\r\n" + offer + b"250 8BITMIME\r\n")
            elif verb == "STARTTLS":
                self.say(verb, b"220 go on\r\n")
                self.start_tls()
            elif verb == "AUTH" and self.secure:
                good = self.office.knows(line.split(" ")[2])
                self.say(verb, b"235 2.7.0 welcome\r\n" if good else b"535 5.7.8 wrong\r\n")
            elif verb == "DATA":
                self.say(verb, b"354 go on\r\n")
                self.take()
            elif verb == "QUIT":
                return
            else:
                self.say(verb, b"250 2.1.0 fine\r\n" if self.secure else b"530 5.7.0 no\r\n")

    def take(self) -> None:
        body = []
        while (line := self.hear()) != ".":
            body.append(line.removeprefix(".") if line.startswith(".") else line)
        if self.office.delivers:
            self.office.put("\r\n".join([*body, ""]).encode())
        self.say("end of data", b"250 2.0.0 queued\r\n")


class ImapSession(_Session):
    """RFC 3501 with RFC 4315, as far as the probe goes."""

    def talk(self) -> None:
        self.say("greeting", b"* OK ready\r\n")
        while True:
            tag, _, command = self.hear().partition(" ")
            name = " ".join(command.split(" ")[: 2 if command.startswith("UID ") else 1]).upper()
            self.office.heard["imap"].append(command)
            if name == "LOGOUT":
                return
            if name == "AUTHENTICATE":
                self.say("continuation", b"+ \r\n")
                good = self.secure and self.office.knows(self.hear())
                self.say(name, f"{tag} {'OK welcome' if good else 'NO [AUTHENTICATIONFAILED] wrong'}\r\n".encode())
                continue
            answer = _COMMANDS[name](self.office, command)
            self.say(name, answer + f"{tag} OK done\r\n".encode())
            if name == "STARTTLS":
                self.start_tls()


def _select(office: PostOffice, command: str) -> bytes:
    return f"* {len(office.box)} EXISTS\r\n* OK [UIDNEXT {office.next_uid}] next\r\n".encode()


def _capability(office: PostOffice, command: str) -> bytes:
    return f"* CAPABILITY {office.capabilities} {'' if office.implicit_tls else 'STARTTLS'}\r\n".encode()


def _uids(office: PostOffice, text: str) -> list[int]:
    """The messages of a set; the end of a range may come first, and ``*`` is the last one."""
    last, found = max(office.box, default=0), set()
    for part in text.split(","):
        ends = sorted(last if end == "*" else int(end) for end in part.split(":"))
        found |= {uid for uid in office.box if ends[0] <= uid <= ends[-1]}
    return sorted(found)


def _fetch(office: PostOffice, command: str) -> bytes:
    [name] = re.findall(r"BODY\.PEEK\[HEADER\.FIELDS \(([A-Za-z-]+)\)\]", command)
    answer = b""
    for uid in _uids(office, command.split(" ")[2]):
        value = office.box[uid].head(name)
        text = f"{name}: {value}\r\n\r\n" if value else "\r\n"
        number = sorted(office.box).index(uid) + 1
        answer += f"* {number} FETCH (UID {uid} BODY[HEADER.FIELDS ({name})] {{{len(text)}}}\r\n{text})\r\n".encode()
    return answer


def _search(office: PostOffice, command: str) -> bytes:
    [(day, subject)] = re.findall(r'BEFORE ([0-9A-Za-z-]+) SUBJECT "([^"]+)"', command)
    before = datetime.strptime(f"{day} +0000", "%d-%b-%Y %z").date()
    found = [uid for uid, held in office.box.items() if held.received < before and subject in held.head("Subject")]
    return f"* SEARCH{''.join(f' {uid}' for uid in found)}\r\n".encode()


def _store(office: PostOffice, command: str) -> bytes:
    for uid in _uids(office, command.split(" ")[2]):
        office.box[uid].deleted = "\\Deleted" in command
    return b""


def _expunge(office: PostOffice, command: str) -> bytes:
    for uid in _uids(office, command.split(" ")[2]):
        if office.box[uid].deleted:
            del office.box[uid]
    return b""


_COMMANDS: dict[str, Callable[[PostOffice, str], bytes]] = {
    "CAPABILITY": _capability,
    "STARTTLS": lambda office, command: b"",
    "NOOP": lambda office, command: b"",
    "SELECT": _select,
    "UID FETCH": _fetch,
    "UID SEARCH": _search,
    "UID STORE": _store,
    "UID EXPUNGE": _expunge,
}


@contextlib.contextmanager
def serving(office: PostOffice) -> Iterator[PostOffice]:
    """Both listeners, on ports of their own."""
    servers = [_server(office, session) for session in (SmtpSession, ImapSession)]
    office.smtp_port, office.imap_port = (server.server_address[1] for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield office
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _server(office: PostOffice, session: type[_Session]) -> socketserver.ThreadingTCPServer:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                session(office, self.request).serve()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    return server
