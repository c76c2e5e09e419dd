"""Changes by operators over JMAP: queued messages, blocked and allowed addresses, tasks, and actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from exporter.simulator.jmap.permissions import may
from exporter.simulator.jmap.wire import NOT_PERMITTED, Json, MethodError, moment
from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.ids import encode_id, id_of
from exporter.simulator.world.mail.queue import Message
from exporter.simulator.world.world import World

ACTIONS = frozenset({"PauseMtaQueue", "ResumeMtaQueue", "ReloadBlockedIps"})
ACTION_ID = "bvqf3xy"
SETTABLE = frozenset({"Action", "QueuedMessage", "BlockedIp", "AllowedIp", "Task"})

RETRIES_SINCE = (0, 16, 9)
"""Older releases answer `updated` and change nothing outside a virtual queue named `default`."""

NOT_FOUND: Json = {"type": "notFound"}
_VERBS = {"create": "Create", "update": "Update", "destroy": "Destroy"}


def set_objects(world: World, caller: Account, kind: str, arguments: Json) -> Json:
    """Return the response to `x:<kind>/set`. Raises `MethodError` if it is not permitted or not supported."""
    for verb, name in _VERBS.items():
        if arguments.get(verb) and not may(caller, f"sys{kind}{name}"):
            raise MethodError("forbidden", NOT_PERMITTED)
    change = _CHANGES.get(kind)
    told = _act(world, caller, arguments) if kind == "Action" else change(world, arguments) if change else {}
    return {name: value for name, value in told.items() if value}


def _act(world: World, caller: Account, arguments: Json) -> Json:
    created: Json = {}
    refused: Json = {}
    for key, wanted in (arguments.get("create") or {}).items():
        kind = wanted.get("@type") if isinstance(wanted, dict) else None
        if kind not in ACTIONS:
            refused[key] = {"type": "invalidProperties", "properties": ["@type"]}
        elif not may(caller, f"action{kind}"):
            refused[key] = {"type": "forbidden", "description": NOT_PERMITTED}
        else:
            _perform(world, kind)
            created[key] = {"id": ACTION_ID}
    return {"created": created, "notCreated": refused}


def _perform(world: World, kind: str) -> None:
    if kind == "PauseMtaQueue":
        world.pause_queue()
    elif kind == "ResumeMtaQueue":
        world.resume_queue()


def _set_queue(world: World, arguments: Json) -> Json:
    updated: Json = {}
    refused: Json = {}
    for text, patch in (arguments.get("update") or {}).items():
        number = id_of(text)
        if number is None:
            continue
        message = world.queue.messages.get(number)
        problem = NOT_FOUND if message is None else _patch_problem(patch)
        if problem is not None or message is None:
            refused[encode_id(number)] = problem
        else:
            _retry(world, message, moment(patch["nextRetry"]))
            updated[encode_id(number)] = None
    return {"updated": updated, "notUpdated": refused, **_destroy(arguments, world.cancel)}


def _patch_problem(patch: Any) -> Json | None:
    """Return what is wrong with a patch; only the next retry can be changed here."""
    unknown = [name for name in patch if name != "nextRetry"] if isinstance(patch, dict) else ["nextRetry"]
    if unknown:
        return {"type": "invalidPatch", "description": "Invalid property", "properties": unknown[:1]}
    if moment(patch.get("nextRetry")) is None:
        said = "Failed to parse UTCDateTime from string"
        return {"type": "invalidPatch", "description": said, "properties": ["nextRetry"]}
    return None


def _retry(world: World, message: Message, at: float | None) -> None:
    works = world.profile.release >= RETRIES_SINCE
    for recipient in message.pending():
        if works or recipient.queue == "default":
            recipient.next_retry = max(at or 0.0, world.now())
    world.queue.note_due(message)


def _set_blocks(world: World, arguments: Json) -> Json:
    by_number = {block.number: address for address, block in world.inventory.blocks.items()}

    def unblock(number: int) -> bool:
        if number not in by_number:
            return False
        world.inventory.unblock(by_number[number])
        world.gate.banned.discard(by_number[number])
        return True

    return _destroy(arguments, unblock)


def _set_allowed(world: World, arguments: Json) -> Json:
    created: Json = {}
    refused: Json = {}
    for key, wanted in (arguments.get("create") or {}).items():
        if isinstance(wanted, dict) and isinstance(wanted.get("address"), str):
            created[key] = {"id": encode_id(world.inventory.allow(wanted["address"]))}
        else:
            refused[key] = {"type": "validationFailed", "properties": ["address"]}
    return {"created": created, "notCreated": refused}


def _set_tasks(world: World, arguments: Json) -> Json:
    def end(number: int) -> bool:
        known = number in world.inventory.tasks
        world.inventory.end_task(number)
        return known

    return _destroy(arguments, end)


def _destroy(arguments: Json, destroy: Callable[[int], bool]) -> Json:
    destroyed: list[str] = []
    refused: Json = {}
    for number in _numbers(arguments.get("destroy")):
        if destroy(number):
            destroyed.append(encode_id(number))
        else:
            refused[encode_id(number)] = NOT_FOUND
    return {"destroyed": destroyed, "notDestroyed": refused}


def _numbers(ids: Any) -> Iterator[int]:
    """Yield the numbers of ids; invalid ids are missing from every response."""
    for text in ids if isinstance(ids, list) else ():
        number = id_of(text)
        if number is not None:
            yield number


_CHANGES: dict[str, Callable[[World, Json], Json]] = {
    "QueuedMessage": _set_queue,
    "BlockedIp": _set_blocks,
    "AllowedIp": _set_allowed,
    "Task": _set_tasks,
}
