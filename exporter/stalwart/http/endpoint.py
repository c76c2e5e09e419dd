"""
The form of a request that this program can make, and how its target is written.

The requests themselves are in tables: `Endpoint` of the daemon, which only reads, and that of queue control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urlencode

from exporter.errors import PayloadError

SMALL_RESPONSE_BYTES = 1024 * 1024
"""Limit of a single value, a token or the list of permissions."""

MEDIUM_RESPONSE_BYTES = 16 * 1024 * 1024
"""Limit of a page of ids or of the server's own metrics page."""


class ResponseForm(Enum):
    """The form of a successful response."""

    MANAGEMENT = "management"
    """``{"data": ...}``; an error is an object with ``error``, also with status 200."""

    JSON = "json"
    """Any JSON document."""

    TEXT = "text"
    """Plain text: a Prometheus page or a token."""

    LINK = "link"
    """A redirect; its target is the result."""

    PACKED = "packed"
    """Bytes in any content encoding; the caller decompresses them."""

    STREAM = "stream"
    """An endless stream of messages; `Transport` refuses it."""

    KEPT = "kept"
    """Like `MANAGEMENT`, but a body that cannot be parsed is returned to the caller, which stores it."""


class Login(Enum):
    """The login that a request is sent with."""

    NONE = "none"
    API = "api"
    NATIVE = "native"


class EndpointSpec(NamedTuple):
    """
    One permitted request.

    Attributes:
        template: The path; each ``{}`` takes one argument.
        parameters: The query parameters that the server accepts.
        permission: The permission it needs, by the server's name; empty if it needs none.
        logins: The logins it may be sent with.
        has_body: Whether it has a JSON body.
        missing: The capability status that a 404 stands for.
        most_bytes: The size limit of a successful response; 0: only the transport's own limit applies.
        fixed: Parameters that are always sent, with these values and no others.
    """

    method: str
    template: str
    parameters: frozenset[str] = frozenset()
    permission: str = ""
    logins: frozenset[Login] = frozenset({Login.API})
    answer: ResponseForm = ResponseForm.MANAGEMENT
    has_body: bool = False
    missing: str = "unsupported"
    most_bytes: int = 0
    fixed: Mapping[str, str] = MappingProxyType({})


class EndpointTable(Enum):
    """
    A closed table of requests.

    A member's name in lower case is the value of the label ``endpoint``.
    """

    _value_: EndpointSpec

    @property
    def label(self) -> str:
        """The value of the label ``endpoint``."""
        return self.name.lower()

    def check_body(self, body: object) -> None:
        """Raise ``ValueError`` for a body that this request must not have; called before it is sent."""


MAX_TARGET = 16_384
"""The most bytes of a path with its query; servers accept about half as many."""


def target_of(endpoint: EndpointTable, params: Mapping[str, str | int], path_args: Sequence[str]) -> str:
    """
    Return the path and query of a request, percent-encoded.

    Raises ``ValueError`` for anything that would change the meaning of the request: arguments that alter the path,
    parameters that the endpoint does not list, and empty values, which the server drops. Raises `PayloadError` for a
    result longer than `MAX_TARGET`: only a token, id or cursor from the server can make it that long.
    """
    spec = endpoint.value
    if len(path_args) != spec.template.count("{}"):
        raise ValueError(f"{endpoint.label}: wrong number of path arguments")
    path = spec.template.format(*(_path_argument(endpoint, argument) for argument in path_args))
    for name, value in params.items():
        if name not in spec.parameters:
            raise ValueError(f"{endpoint.label}: no parameter {name!r}")
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise ValueError(f"{endpoint.label}: parameter {name!r} needs a text or a number")
    query = {**spec.fixed, **params}
    target = f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path
    if len(target) > MAX_TARGET:
        raise PayloadError(
            f"{endpoint.label}: the server's token, id or cursor makes an address of {len(target)} bytes"
        )
    return target


def _path_argument(endpoint: EndpointTable, argument: str) -> str:
    # Some proxies decode a "%" twice, so an encoded slash is refused like a plain one.
    if argument in ("", ".", "..") or not argument.isprintable() or set(argument) & set("/\\%?#"):
        raise ValueError(f"{endpoint.label}: not a path argument")
    return quote(argument, safe="!,")
