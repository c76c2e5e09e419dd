"""Translation of network errors into `TargetError`, without addresses or secrets in the messages."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from exporter.errors import (
    PayloadTooLarge,
    TargetError,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
    quote,
)
from exporter.stalwart.http.network import HEAD_BYTES, HeadTooLong
from exporter.stalwart.http.resolver import ResolverSilent
from exporter.stalwart.http.responses import BAN_HINT

NETWORK_ERRORS = (httpx.HTTPError, httpx.StreamError, OSError)
"""What a request can raise; httpx passes some TLS errors through unchanged."""

_MIX_UP = "one side speaks TLS and the other plain HTTP"
_NOT_HTTP = "the server did not answer in HTTP: another program's port, or TLS on a plain HTTP URL"
CLOSED = f"closed the connection before it answered: {BAN_HINT}, or {_MIX_UP}"
"""What a server does to a banned address: it accepts the connection and closes it without sending a byte."""

_NO_TLS_FAILURES = (
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
)
"""Errors of a handshake whose connection the other side closed; TLS itself did not fail."""


class NetworkTrouble(NamedTuple):
    """
    A translated error.

    Attributes:
        status: The value of the label ``status`` for the request.
        cause: The exception to raise it from; ``None`` if the library's message quotes received data.
    """

    error: TargetError
    status: str
    cause: BaseException | None


def translate(error: BaseException, *, endpoint: str, answering: bool, seconds: float) -> NetworkTrouble:
    """
    Return the `TargetError` for one of `NETWORK_ERRORS`.

    *answering*: a response head had been received. *seconds*: how long the request had taken.
    """
    kind, status, words = _judge(error, answering, seconds)
    cause = None if isinstance(error, httpx.ProtocolError) else error
    ours = kind(f"{endpoint}: {words}")
    if isinstance(ours, TargetUnreachable):
        ours.in_answer = answering
    return NetworkTrouble(ours, status, cause)


def _judge(error: BaseException, answering: bool, seconds: float) -> tuple[type[TargetError], str, str]:
    causes = list(_causes(error))
    if any(isinstance(cause, HeadTooLong) for cause in causes):
        return PayloadTooLarge, "too_large", f"the response head is longer than {HEAD_BYTES} bytes"
    if any(isinstance(cause, ResolverSilent) for cause in causes):
        return TargetTimeout, "timeout", f"the resolver did not answer within the deadline ({seconds:.1f} s)"
    if isinstance(error, httpx.ConnectTimeout):
        return (
            TargetTimeout,
            "timeout",
            f"no connection within the deadline ({seconds:.1f} s): a firewall, or {_MIX_UP}",
        )
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TargetTimeout, "timeout", f"no response within the deadline ({seconds:.1f} s)"
    in_tls = [cause for cause in causes if isinstance(cause, ssl.SSLError)]
    tls = next((cause for cause in in_tls if not isinstance(cause, _NO_TLS_FAILURES)), None)
    if tls is not None:
        return TargetTLSError, "tls", _tls_words(tls)
    if answering:
        return TargetUnreachable, "cut", "the response was truncated"
    if isinstance(error, httpx.ConnectError) and not in_tls:
        return TargetUnreachable, "unreachable", _connect_words(error)
    if isinstance(error, httpx.ProtocolError) and "disconnected" not in str(error):
        return TargetUnreachable, "unreachable", _NOT_HTTP
    return TargetUnreachable, "unreachable", f"the server {CLOSED}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, its causes and contexts, and the members of exception groups."""
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
        return "the server does not speak TLS on this port; is it plain HTTP?"
    return f"the TLS handshake failed: {quote(error.reason or 'no reason given')}"


def _connect_words(error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "the server's name does not resolve"
        # The message of a system error contains the address; its number does not.
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            return f"the server {CLOSED}"
        if isinstance(cause, OSError) and cause.errno:
            return f"no connection: {os.strerror(cause.errno).lower()}"
    return "no connection"
