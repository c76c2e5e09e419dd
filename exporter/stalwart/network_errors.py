"""Trouble below HTTP, in our words: no address and no secret in them."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from exporter.errors import TargetError, TargetTimeout, TargetTLSError, TargetUnreachable, quote
from exporter.stalwart.answers import BAN_HINT

NETWORK_ERRORS = (httpx.HTTPError, httpx.StreamError, OSError)
"""What a request can raise: some TLS errors come up from below httpx as they are."""

_CLOSED = f"closed the connection before an answer: {BAN_HINT}, or one side speaks TLS and the other plain HTTP"


class NetworkTrouble(NamedTuple):
    """What to raise, and the label ``status`` of the request."""

    error: TargetError
    status: str


def translate(error: BaseException, *, endpoint: str, answering: bool, seconds: float) -> NetworkTrouble:
    """
    Our exception for one of `NETWORK_ERRORS`.

    *answering* tells that the head of an answer had come; *seconds*, how long the request had lasted.
    """
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return NetworkTrouble(TargetTimeout(f"{endpoint}: no answer within the deadline ({seconds:.1f} s)"), "timeout")
    tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError):
        return NetworkTrouble(TargetTLSError(f"{endpoint}: {_tls_words(tls)}"), "tls")
    if answering:
        return NetworkTrouble(TargetUnreachable(f"{endpoint}: the answer was cut short"), "cut")
    if isinstance(error, httpx.ConnectError) and tls is None:
        return NetworkTrouble(TargetUnreachable(f"{endpoint}: {_connect_words(error)}"), "unreachable")
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
        words = "answered with something that is not HTTP: another program's port, or TLS where we speak plain HTTP"
        return NetworkTrouble(TargetUnreachable(f"{endpoint}: the server {words}"), "unreachable")
    return NetworkTrouble(TargetUnreachable(f"{endpoint}: the server {_CLOSED}"), "unreachable")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, outermost first, into groups."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        waiting.extend(cause for cause in (current.__cause__, current.__context__) if cause is not None)


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {quote(error.verify_message)}"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return "the server does not speak TLS on this port: plain HTTP there?"
    return f"the TLS handshake failed: {quote(error.reason or 'no reason given')}"


def _connect_words(error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "the server's name does not resolve"
        # The text of the system's error holds the address; its number does not.
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            return f"the server {_CLOSED}"
        if isinstance(cause, OSError) and cause.errno:
            return f"no connection: {os.strerror(cause.errno).lower()}"
    return "no connection"
