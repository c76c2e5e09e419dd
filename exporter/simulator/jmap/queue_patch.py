"""Patches of a queued message: its next retry, its priority, and single recipients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from exporter.simulator.jmap.wire import Json, moment
from exporter.simulator.world.mail.operations import Choice
from exporter.simulator.world.mail.queue import Message
from exporter.simulator.world.world import World

SERVER_SET = frozenset(
    {"id", "createdAt", "nextNotify", "blobId", "returnPath", "receivedFromIp", "receivedViaPort", "flags", "size"}
)


@dataclass(slots=True)
class _Patch:
    """
    A patch, read in full before anything is changed.

    Attributes:
        retries: Time by address; the empty address stands for all.
        changes: What else is to be done.
    """

    retries: dict[str, float] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    rearmed: set[str] = field(default_factory=set)
    changes: list[Callable[[Message], None]] = field(default_factory=list)


def apply_patch(world: World, message: Message, members: Any) -> Json | None:
    """Change a message; return what is wrong with the patch, after which nothing is changed."""
    patch = _Patch()
    for path, value in members.items() if isinstance(members, dict) else ():
        problem = _read(patch, message, path, value)
        if problem is not None:
            return problem
    for change in patch.changes:
        change(message)
    operations, queue_id = world.operations, message.queue_id
    operations.rearm(queue_id, lambda recipient: recipient.address in patch.rearmed)
    for address, at in patch.retries.items():
        operations.retry(queue_id, _named(address), max(at, world.now()), keeps_expiry=True)
    if patch.cancelled:
        operations.cancel(queue_id, lambda recipient: recipient.address in patch.cancelled)
    return None


def _named(address: str) -> Choice:
    return lambda recipient: address in ("", recipient.address)


def _read(patch: _Patch, message: Message, path: str, value: Any) -> Json | None:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
    if parts[0] == "recipients" and len(parts) > 1:
        return _read_recipient(patch, message, parts[1], parts[2:], value)
    if path in SERVER_SET:
        return _invalid(path, "Cannot modify server set property")
    if path == "priority" and isinstance(value, int):
        patch.changes.append(lambda changed: setattr(changed, "priority", value))
        return None
    if path != "nextRetry":
        return _invalid(path, "Invalid property")
    return _read_time(patch, path, "", value) if value is not None else None


def _read_recipient(patch: _Patch, message: Message, address: str, rest: list[str], value: Any) -> Json | None:
    known = any(recipient.address == address for recipient in message.recipients)
    if not rest and value is None:
        patch.cancelled.add(address)
        return None
    if not known:
        return {"type": "invalidProperties", "description": f"Recipient '{address}' does not exist"}
    if rest == ["retryDue"]:
        return _read_time(patch, "retryDue", address, value)
    if rest == ["status"] and isinstance(value, dict) and value.get("@type") == "Scheduled":
        patch.rearmed.add(address)
        return None
    return _invalid("/".join(rest) or "recipients", "Invalid property")


def _read_time(patch: _Patch, name: str, address: str, value: Any) -> Json | None:
    at = moment(value)
    if at is None:
        return _invalid(name, "Failed to parse UTCDateTime from string")
    patch.retries[address] = at
    return None


def _invalid(name: str, description: str) -> Json:
    return {"type": "invalidPatch", "description": description, "properties": [name]}
