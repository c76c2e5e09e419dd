"""
A batch of method calls and its answer.

Contract: Stalwart v0.16, ``POST /jmap/``; tests/recordings/jmap-0.16.18. Each call of a batch succeeds or fails by
itself, with HTTP 200 for the whole. ``accountId`` may be left out. What other protocols call a list is an object here,
keyed ``"0"``, ``"1"`` and so on, and a set is an object whose values are all ``true``.
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
        id: Under which its answer comes, unique in its batch.
        method: ``x:<object>/<verb>``.
    """

    id: str
    method: str
    arguments: Mapping[str, Any]

    @property
    def object(self) -> str:
        """The type of object that it is about."""
        return self.method.removeprefix("x:").partition("/")[0]

    @property
    def permission(self) -> str:
        """What a key needs for it."""
        verb = self.method.partition("/")[2]
        return f"sys{self.object}{verb.capitalize()}"

    def ids(self) -> Mapping[str, str]:
        """A reference to the ids that this query will find, for a ``get`` of the same batch."""
        return {"resultOf": self.id, "name": self.method, "path": "/ids"}


class AnchorGone(TargetServerError):
    """The row that a page should have followed is no longer there."""


class BatchTooLarge(TargetServerError):
    """More objects in one call than the server gives."""


class _Response(msgspec.Struct):
    responses: list[tuple[str, msgspec.Raw, str]] = msgspec.field(name="methodResponses")


class _MethodError(msgspec.Struct):
    type: str
    description: str | None = None


_response = msgspec.json.Decoder(_Response)
_method_error = msgspec.json.Decoder(_MethodError)


def request_of(calls: Sequence[Call]) -> dict[str, Any]:
    """The body of the request that makes *calls*."""
    return {"using": USING, "methodCalls": [(call.method, call.arguments, call.id) for call in calls]}


class MethodResponses:
    """
    The answers to a batch.

    *served* are the types of object that this server is known to have answered about. Raises `PayloadError` for a body
    that is no answer to a batch.
    """

    def __init__(self, body: bytes, *, served: Iterable[str] = ()) -> None:
        self._served = frozenset(served)
        self._by_id = {id_: (name, raw) for name, raw, id_ in decode_response(_response, body).responses}

    def failed(self, call: Call) -> bool:
        """Whether the server answered *call* with an error."""
        return self._by_id.get(call.id, ("", None))[0] == "error"

    def result(self, call: Call, decoder: msgspec.json.Decoder[T]) -> T:
        """What *call* gave; raises the `TargetError` that came instead."""
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
    """The members of a list."""
    return [member for _, member in sorted(listed.items(), key=lambda item: (len(item[0]), item[0]))]


def failure_of(call: Call, kind: str, description: str, *, served: bool = False) -> TargetError:
    """
    What an error of a method means.

    A missing permission and a missing licence are of one kind and differ in their words. An internal error and a store
    that was never set up are of one kind too: it is taken for the latter until the server has once answered.
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
