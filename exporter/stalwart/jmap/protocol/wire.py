"""
The wire format of a batch of method calls and its responses.

Contract: Stalwart v0.16, ``POST /jmap/``; tests/recordings/jmap-0.16.18. Each call of a batch succeeds or fails on its
own, with HTTP 200 for the whole. ``accountId`` may be omitted. A list is an object with the keys ``"0"``, ``"1"`` and
so on, and a set is an object whose values are all ``true``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from exporter.errors import PayloadError, TargetError, TargetForbidden, TargetServerError, TargetUnsupported
from exporter.stalwart.http.responses import decode_response, decoding_problem, quoted

USING = ("urn:ietf:params:jmap:core", "urn:stalwart:jmap")

T = TypeVar("T")


class Call(NamedTuple):
    """
    One method call.

    Attributes:
        id: The id of its response, unique within the batch.
        method: ``x:<object>/<verb>``.
    """

    id: str
    method: str
    arguments: Mapping[str, Any]

    @property
    def object(self) -> str:
        """The type of object."""
        return self.method.removeprefix("x:").partition("/")[0]

    @property
    def permission(self) -> str:
        """The permission that it needs."""
        verb = self.method.partition("/")[2]
        return f"sys{self.object}{verb.capitalize()}"

    def ids(self) -> Mapping[str, str]:
        """Return a reference to this query's result, for a ``get`` in the same batch."""
        return {"resultOf": self.id, "name": self.method, "path": "/ids"}


class AnchorGone(TargetServerError):
    """The row before the requested page no longer exists."""


class BatchTooLarge(TargetServerError):
    """One call requested more objects than the server allows."""


class _Response(msgspec.Struct):
    responses: list[tuple[str, msgspec.Raw, str]] = msgspec.field(name="methodResponses")


class _MethodError(msgspec.Struct):
    type: str
    description: str | None = None


_response = msgspec.json.Decoder(_Response)
_method_error = msgspec.json.Decoder(_MethodError)


def request_of(calls: Sequence[Call]) -> dict[str, Any]:
    """Return the body of a request with *calls*."""
    return {"using": USING, "methodCalls": [(call.method, call.arguments, call.id) for call in calls]}


class MethodResponses:
    """
    The responses to a batch.

    *served* are the types of object for which this server has returned a result before. Raises `PayloadError` for an
    invalid body.
    """

    def __init__(self, body: bytes, *, served: Iterable[str] = ()) -> None:
        self._served = frozenset(served)
        self._by_id = {id_: (name, raw) for name, raw, id_ in decode_response(_response, body).responses}

    def failed(self, call: Call) -> bool:
        """Whether *call* failed."""
        return self._by_id.get(call.id, ("", None))[0] == "error"

    def result(self, call: Call, decoder: msgspec.json.Decoder[T]) -> T:
        """Return the result of *call*, or raise its `TargetError`."""
        name, raw = self._raw(call)
        if name == "error":
            raise self._failure(call, raw)
        if name != call.method:
            raise PayloadError(f"methodResponses: {quoted(name)} instead of {call.method}")
        return _decoded(decoder, raw, call.method)

    def _raw(self, call: Call) -> tuple[str, msgspec.Raw]:
        found = self._by_id.get(call.id)
        if found is None:
            raise PayloadError(f"methodResponses: no response to {call.method}")
        return found

    def _failure(self, call: Call, raw: msgspec.Raw) -> TargetError:
        error = _decoded(_method_error, raw, call.method)
        return failure_of(call, error.type, error.description or "", served=call.object in self._served)


def in_order(listed: Mapping[str, T]) -> list[T]:
    """Return the members of a list in order."""
    return [member for _, member in sorted(listed.items(), key=lambda item: (len(item[0]), item[0]))]


def failure_of(call: Call, kind: str, description: str, *, served: bool = False) -> TargetError:
    """
    Return the `TargetError` for a method's error.

    A missing permission and a missing licence have the same type and differ in the description. An internal error and a
    store that was never configured have the same type too: until the object is *served* once, it counts as the latter.
    """
    said = f"{call.method}: the server reports: {quoted(kind)}" + (f", {quoted(description)}" if description else "")
    if kind == "forbidden":
        if "Enterprise" in description:
            return TargetUnsupported(said, status="not_licensed")
        return TargetForbidden(f"{call.method}: the key lacks the permission {call.permission}")
    if kind == "unknownMethod":
        return TargetUnsupported(said)
    if kind == "invalidArguments" and call.object == "Log":
        return TargetUnsupported(f"{said}: no tracer writes log files there", status="not_configured")
    if kind == "serverUnavailable" and call.object in ("Metric", "Trace") and not served:
        return TargetUnsupported(said, status="not_configured")
    if kind == "anchorNotFound":
        return AnchorGone(said)
    if kind == "requestTooLarge":
        return BatchTooLarge(said)
    return TargetServerError(said)


def _decoded(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, path: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error, path)) from error
