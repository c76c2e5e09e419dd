"""
Every exception that this package raises on purpose::

    ExporterError
    |-- TargetError            a server we watch is in trouble; never ends the process
    |   |-- TargetUnreachable    no connection, or closed before the end of an answer
    |   |-- TargetTimeout        a deadline passed
    |   |-- TargetTLSError       the certificate or the handshake failed
    |   |-- TargetRefused        credentials refused; not offered again until they change or an operator reloads
    |   |-- TargetForbidden      credentials good, permission missing
    |   |-- TargetBusy           rate or concurrency limit
    |   |-- TargetServerError    5xx, or an error object that we do not know
    |   |-- TargetUnsupported    the server cannot give this: see ``status``
    |   |-- PayloadError         an answer that we cannot read
    |   |-- HistoryUnavailable   not the server's trouble: the history file cannot be read or written now
    |   `-- InternalError        a bug of ours, caught where it must not blind the others
    |-- StoreError             the history file cannot be used
    `-- SettingsError          the configuration is wrong; ends the process at start

No message holds a secret or a mail address; what a server said is quoted cut short and without control characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from exporter.printable import printable, shortened

QUOTE_LIMIT = 120


def quote(text: str | bytes) -> str:
    """What a server said, fit for a log line: printable, on one line, at most `QUOTE_LIMIT` characters."""
    if isinstance(text, bytes):
        text = text[: QUOTE_LIMIT * 4].decode("utf-8", "replace")
    return shortened(printable(text[: QUOTE_LIMIT * 2], " "), QUOTE_LIMIT)


class ExporterError(Exception):
    """The root of the tree."""


E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """
    Return *error* without its tracebacks and those of its causes.

    They hold everything that the failed call had in hand, such as an answer of many megabytes, for as long as the error
    is kept; raised again, they grow.
    """
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = None
        waiting += [current.__cause__, current.__context__]
        waiting += current.exceptions if isinstance(current, BaseExceptionGroup) else ()
    return error


class TargetError(ExporterError):
    """
    A watched server is in trouble.

    Attributes:
        reason: The value of the label ``reason`` in ``stalwart_exporter_collector_failures_total``.
    """

    reason: ClassVar[str] = "server_error"


class TargetUnreachable(TargetError):
    """
    No connection could be made, or it was closed before an answer (which is also what a banned address sees).

    Attributes:
        in_answer: It was closed in the middle of an answer: the server is there, whatever became of this request.
    """

    reason = "unreachable"

    def __init__(self, message: str, *, in_answer: bool = False) -> None:
        super().__init__(message)
        self.in_answer = in_answer


class TargetTimeout(TargetError):
    """The server did not answer within the deadline."""

    reason = "timeout"


class TargetTLSError(TargetError):
    """The TLS handshake failed, or the certificate is not trusted."""

    reason = "tls"


class TargetRefused(TargetError):
    """The server refused our credentials, or banned our address for them."""

    reason = "refused"


class TargetForbidden(TargetError):
    """
    The credentials are good and lack a permission.

    Attributes:
        certain: A document of the server's API says so; otherwise only the status of an answer, which is confirmed
            before it is believed for long.
    """

    reason = "forbidden"

    def __init__(self, message: str, *, certain: bool = True) -> None:
        super().__init__(message)
        self.certain = certain


class TargetBusy(TargetError):
    """
    A rate or concurrency limit of the server.

    Attributes:
        retry_after_seconds: What the server asks for, or ``None``.
    """

    reason = "busy"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TargetServerError(TargetError):
    """The server failed: a 5xx, or an error object that is none of the others."""

    reason = "server_error"


class TargetUnsupported(TargetError):
    """
    The server cannot give what was asked: a fact about it, not a failure.

    Attributes:
        status: ``not_licensed``, ``not_configured`` or ``unsupported``, as in ``stalwart_exporter_capability``.
        again_seconds: When it is worth asking again; ``None``: as with everything that a server does not have.
        certain: As of `TargetForbidden`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: str = "unsupported",
        again_seconds: float | None = None,
        certain: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.again_seconds = again_seconds
        self.certain = certain


class PayloadError(TargetError):
    """An answer that we cannot read; the message names the path inside it (``data.items[3].created``)."""

    reason = "payload"


class InternalError(TargetError):
    """A bug of ours: logged with its traceback where it was caught."""

    reason = "internal"


class HistoryUnavailable(TargetError):
    """
    The history file cannot be used now, so what the server has is not counted; it is asked for again.

    Counts as ``internal``; the metrics of the history file say why.
    """

    reason = "internal"


class PayloadTooLarge(PayloadError):
    """The body passed its size limit and was not read further."""


class StoreError(ExporterError):
    """The history file cannot be read or written now."""


class SettingsError(ExporterError):
    """
    The configuration cannot be used.

    Attributes:
        problems: One line each, with the path of the setting.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
