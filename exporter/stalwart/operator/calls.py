"""
The only requests that queue control can make: what it needs to read, and six changes.

Each change names one message. There is no bulk form: that of v0.11-v0.15 ignores unknown parameters, and with them
would change the whole queue. An empty parameter, which the server drops, is refused by `target_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import SMALL_RESPONSE_BYTES, EndpointSpec, EndpointTable, ResponseForm

QUEUED_MESSAGE_SET = "x:QueuedMessage/set"
ACTION_SET = "x:Action/set"

_ACTIONS = ("PauseMtaQueue", "ResumeMtaQueue")
_MESSAGE = "/api/queue/messages/{}"


class OperatorEndpoint(EndpointTable):
    """The requests of queue control that the daemon's table does not have."""

    MESSAGE = EndpointSpec("GET", _MESSAGE, permission="message-queue-get")
    RETRY = EndpointSpec(
        "PATCH",
        _MESSAGE,
        frozenset({"at", "filter"}),
        permission="message-queue-update",
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    CANCEL = EndpointSpec(
        "DELETE", _MESSAGE, frozenset({"filter"}), permission="message-queue-delete", most_bytes=SMALL_RESPONSE_BYTES
    )
    PAUSE = EndpointSpec(
        "PATCH", "/api/queue/status/stop", permission="message-queue-update", most_bytes=SMALL_RESPONSE_BYTES
    )
    RESUME = EndpointSpec(
        "PATCH", "/api/queue/status/start", permission="message-queue-update", most_bytes=SMALL_RESPONSE_BYTES
    )
    JMAP_CHANGE = EndpointSpec(
        "POST", "/jmap/", answer=ResponseForm.JSON, has_body=True, most_bytes=SMALL_RESPONSE_BYTES
    )
    """One change of one message, or an action of `_ACTIONS`."""

    def check_body(self, body: object) -> None:
        """Raise ``ValueError`` for anything but one change of one message, a pause or a resume."""
        if self is OperatorEndpoint.JMAP_CHANGE and not _is_change(body):
            raise ValueError(f"{self.label}: not in the allow-list in this form")


OPERATOR_CALLS: frozenset[EndpointTable] = frozenset(OperatorEndpoint) | {
    Endpoint.QUEUE_MESSAGES,
    Endpoint.QUEUE_STATUS,
    Endpoint.JMAP_SESSION,
    Endpoint.JMAP_ACCOUNT,
    Endpoint.JMAP,
}
"""Everything that queue control may send; `Endpoint.JMAP` is limited to reads by its own check."""


def _is_change(body: object) -> bool:
    calls = body.get("methodCalls") if isinstance(body, Mapping) and body.keys() == {"using", "methodCalls"} else None
    if not isinstance(calls, Sequence) or len(calls) != 1 or len(calls[0]) != 3:
        return False
    method, arguments, _ = calls[0]
    if not isinstance(arguments, Mapping) or len(arguments) != 1:
        return False
    if method == ACTION_SET:
        wanted = arguments.get("create")
        return isinstance(wanted, Mapping) and [*wanted.values()] in [[{"@type": action}] for action in _ACTIONS]
    return method == QUEUED_MESSAGE_SET and (_is_destruction(arguments) or _is_update(arguments))


def _is_destruction(arguments: Mapping[str, Any]) -> bool:
    ids = arguments.get("destroy")
    return isinstance(ids, Sequence) and not isinstance(ids, str) and len(ids) == 1 and bool(ids[0])


def _is_update(arguments: Mapping[str, Any]) -> bool:
    updates = arguments.get("update")
    if not isinstance(updates, Mapping) or len(updates) != 1:
        return False
    [(id_, patch)] = updates.items()
    return bool(id_) and isinstance(patch, Mapping) and bool(patch) and all(map(_is_patch, patch, patch.values()))


def _is_patch(path: str, value: object) -> bool:
    """Whether a member of a patch sets the time of a retry, or removes a recipient."""
    if path == "nextRetry":
        return isinstance(value, str)
    parts = path.split("/")
    if parts[0] != "recipients" or len(parts) not in (2, 3) or not parts[1]:
        return False
    return isinstance(value, str) and parts[2] == "retryDue" if len(parts) == 3 else value is None
