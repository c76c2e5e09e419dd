"""
The exceptions that the exporter raises on purpose::

    ExporterError
    |-- TargetError              a poll, probe or stream of a watched server failed; never ends the process
    |   |-- TargetUnreachable    no connection, or it was closed before the end of a response
    |   |-- TargetTimeout        a deadline passed
    |   |-- TargetTLSError       the certificate or the handshake failed
    |   |-- TargetRefused        credentials refused; not sent again until they change or an operator reloads
    |   |-- TargetForbidden      credentials accepted, permission missing
    |   |-- TargetBusy           rate or concurrency limit
    |   |-- TargetServerError    5xx, or an unknown error object
    |   |-- TargetUnsupported    not available on this server: see ``status``
    |   |-- PayloadError         a response that cannot be parsed
    |   |   `-- PayloadTooLarge  a body beyond its size limit
    |   |-- InternalError        a bug in the exporter, caught so that other collectors keep running
    |   `-- HistoryUnavailable   the history file cannot be read or written, so the poll counted nothing
    |-- StoreError               the history file cannot be read or written
    |-- FilterError              an option of a command or a page has a value that it cannot have
    `-- SettingsError            the configuration cannot be used; ends the process at start, not at a reload

`exporter.stalwart` derives a few more from these, which only it distinguishes.

No message contains a secret or a mail address. Text from a server is quoted shortened and without control characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from exporter.printable import printable, shortened

QUOTE_LIMIT = 120


def quote(text: str | bytes) -> str:
    """Return text from a server fit for a log line: printable, on one line, at most `QUOTE_LIMIT` characters."""
    if isinstance(text, bytes):
        text = text[: QUOTE_LIMIT * 4].decode("utf-8", "replace")
    return shortened(printable(text[: QUOTE_LIMIT * 2], " "), QUOTE_LIMIT)


class ExporterError(Exception):
    """The root of the tree."""


E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """
    Return *error* without its tracebacks and those of its causes.

    Tracebacks keep the variables of the failed call alive, such as a response of many megabytes, for as long as the
    error is kept. They grow each time it is raised again.
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
    A poll, probe or stream of a watched server failed.

    Attributes:
        reason: The value of the label ``reason`` in ``stalwart_exporter_collector_failures_total``.
    """

    reason: ClassVar[str] = "server_error"


class TargetUnreachable(TargetError):
    """
    No connection could be made, or it was closed before the response was complete; a banned address sees the same.

    Attributes:
        in_answer: The connection was closed within a response, so the server is up.
    """

    reason = "unreachable"

    def __init__(self, message: str, *, in_answer: bool = False) -> None:
        super().__init__(message)
        self.in_answer = in_answer


class TargetTimeout(TargetError):
    """The server did not respond within the deadline."""

    reason = "timeout"


class TargetTLSError(TargetError):
    """The TLS handshake failed, or the certificate is not trusted."""

    reason = "tls"


class TargetRefused(TargetError):
    """The server refused the credentials, or banned the exporter's address because of them."""

    reason = "refused"


class TargetForbidden(TargetError):
    """
    The credentials are accepted but lack a permission.

    Attributes:
        certain: Stated by a document of the server's API. Otherwise inferred from the HTTP status alone, which a second
            request confirms.
    """

    reason = "forbidden"

    def __init__(self, message: str, *, certain: bool = True) -> None:
        super().__init__(message)
        self.certain = certain


class TargetBusy(TargetError):
    """
    A rate or concurrency limit of the server was exceeded.

    Attributes:
        retry_after_seconds: The wait that the server requests; ``None`` if it names none.
    """

    reason = "busy"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TargetServerError(TargetError):
    """The server failed: a 5xx, or an error object that matches no other class."""

    reason = "server_error"


class TargetUnsupported(TargetError):
    """
    The server does not offer the feature; not a failure.

    Attributes:
        status: ``not_licensed``, ``not_configured`` or ``unsupported``, as in ``stalwart_exporter_capability``.
        again_seconds: Seconds until the next attempt; ``None``: the default for missing features.
        certain: See `TargetForbidden`.
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
    """A response that cannot be parsed; the message names the path in it (``data.items[3].created``)."""

    reason = "payload"


class InternalError(TargetError):
    """A bug in the exporter, logged with its traceback where it was caught."""

    reason = "internal"


class HistoryUnavailable(TargetError):
    """
    The history file cannot be used now, so nothing was counted; the next poll reads the same data again.

    Counts as ``internal``; ``stalwart_exporter_store_errors_total`` has the reason.
    """

    reason = "internal"


class PayloadTooLarge(PayloadError):
    """The response body exceeded its size limit and was not read further."""


class StoreError(ExporterError):
    """The history file cannot be read or written."""


class FilterError(ExporterError):
    """An option of a command or a page has a value that it cannot have; the message names the option, not the value."""


class SettingsError(ExporterError):
    """
    The configuration cannot be used.

    Attributes:
        problems: One line each, with the path of the setting.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
