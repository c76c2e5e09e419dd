"""Changes by operators over JMAP: queued messages, blocked and allowed addresses, tasks, and actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from exporter.simulator.jmap.documents import MAX_OBJECTS
from exporter.simulator.jmap.permissions import may
from exporter.simulator.jmap.probes import PROBES, probed
from exporter.simulator.jmap.queue_patch import apply_patch
from exporter.simulator.jmap.wire import TOO_MANY_IDS, Json, MethodError
from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.ids import encode_id, id_of
from exporter.simulator.world.world import World

ACTION_ID = "bvqf3xy"
SETTABLE = frozenset({"Action", "QueuedMessage", "BlockedIp", "AllowedIp", "Task"})

NOT_FOUND: Json = {"type": "notFound"}
_VERBS = {"create": "Create", "update": "Update", "destroy": "Destroy"}


def set_objects(world: World, caller: Account, kind: str, arguments: Json) -> Json:
    """Return the response to `x:<kind>/set`. Raises `MethodError` if it is not permitted or not supported."""
    for verb, name in _VERBS.items():
        if arguments.get(verb) and not may(caller, f"sys{kind}{name}"):
            raise MethodError("forbidden", _not_permitted(caller, kind, verb))
    change = _CHANGES.get(kind)
    told = _act(world, caller, arguments) if kind == "Action" else change(world, arguments) if change else {}
    return {name: value for name, value in told.items() if value}


def _not_permitted(caller: Account, kind: str, verb: str) -> str:
    """Return the description for a missing permission, which names the verb only if another one is permitted."""
    verbs = verb if any(may(caller, f"sys{kind}{name}") for name in _VERBS.values()) else "create, update or destroy"
    return f"You are not authorized to {verbs} objects of this type"


def _act(world: World, caller: Account, arguments: Json) -> Json:
    created: Json = {}
    refused: Json = {}
    for key, wanted in (arguments.get("create") or {}).items():
        kind = wanted.get("@type") if isinstance(wanted, dict) else None
        if not isinstance(kind, str):
            refused[key] = {"type": "invalidProperties", "properties": ["@type"]}
        elif not may(caller, f"action{kind}"):
            said = f"Insufficient permissions to perform action of type {kind}"
            refused[key] = {"type": "forbidden", "description": said}
        elif kind in PROBES:
            missing = [name for name in PROBES[kind] if not wanted.get(name)]
            if missing:
                errors = [{"type": "Required", "property": name} for name in missing]
                refused[key] = {"type": "validationFailed", "validationErrors": errors}
            else:
                created[key] = probed(world, kind, wanted)
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
    updates = arguments.get("update") or {}
    if len(updates) + len(arguments.get("destroy") or ()) > MAX_OBJECTS:
        raise MethodError("requestTooLarge", TOO_MANY_IDS)
    updated: Json = {}
    refused: Json = {}
    for text, patch in updates.items():
        number = id_of(text)
        if number is None:
            continue
        message = world.queue.messages.get(number)
        problem = NOT_FOUND if message is None else apply_patch(world, message, patch)
        if problem is not None:
            refused[encode_id(number)] = problem
        else:
            updated[encode_id(number)] = None
    return {
        "updated": updated,
        "notUpdated": refused,
        **_destroy(arguments, lambda number: world.operations.cancel(number, None)),
    }


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
