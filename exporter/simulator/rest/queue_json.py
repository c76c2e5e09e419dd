"""Queued messages as JSON: flat recipients from v0.13 on, grouped by domain before."""

from __future__ import annotations

from typing import Any

from exporter.simulator.world.mail.queue import Message, Recipient
from exporter.simulator.world.values import rfc3339


def message_to_json(message: Message, now: float, *, nested: bool) -> dict[str, Any]:
    """Return a message as shown by the list with `values` and by the request for a single message."""
    shown: dict[str, Any] = {"id": message.queue_id, "return_path": message.return_path}
    if nested:
        shown["domains"] = _domains(message, now)
    else:
        shown["recipients"] = [_recipient(r, now) for r in message.recipients]
    shown |= {"created": rfc3339(message.created), "size": message.size, "blob_hash": message.blob_hash}
    if message.priority:
        shown["priority"] = message.priority
    if message.env_id is not None:
        shown["env_id"] = message.env_id
    return shown


def _notify(recipient: Recipient, now: float) -> str | None:
    due = recipient.next_notify
    return rfc3339(due) if due is not None and due > now else None


def _recipient(recipient: Recipient, now: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "address": recipient.address,
        "queue": recipient.queue,
        "status": _status(recipient),
        "retry_num": recipient.retry_num,
        "next_retry": rfc3339(recipient.next_retry),
    }
    if recipient.next_notify is None:
        # The largest number of seconds, which the real server prints as one before the epoch.
        shown["next_notify"] = "1969-12-31T23:59:59Z"
    elif (notify := _notify(recipient, now)) is not None:
        shown["next_notify"] = notify
    if recipient.expires is not None:
        shown["expires"] = rfc3339(recipient.expires)
    if recipient.orcpt is not None:
        shown["orcpt"] = recipient.orcpt
    return shown


def _status(recipient: Recipient) -> Any:
    if recipient.status == "completed":
        return {"completed": str(recipient.reply)}
    if recipient.failure is None:
        return "scheduled"
    return {recipient.status: recipient.failure.flat_text}


def _domains(message: Message, now: float) -> list[dict[str, Any]]:
    names = dict.fromkeys(r.domain for r in message.recipients)
    return [_domain(name, [r for r in message.recipients if r.domain == name], now) for name in names]


def _domain(name: str, recipients: list[Recipient], now: float) -> dict[str, Any]:
    pending = [r for r in recipients if r.pending]
    speaker = pending[0] if pending else recipients[0]
    expires = speaker.expires if speaker.expires is not None else speaker.next_retry + 5 * 86_400
    return {
        "name": name,
        "status": _domain_status(recipients),
        "recipients": [_nested_recipient(r) for r in recipients],
        "retry_num": speaker.retry_num,
        "next_retry": rfc3339(speaker.next_retry),
        "next_notify": _notify(speaker, now),
        "expires": rfc3339(expires),
    }


def _domain_status(recipients: list[Recipient]) -> Any:
    for recipient in recipients:
        if recipient.failure is not None and not recipient.failure.own:
            return {recipient.status: recipient.failure.nested_text}
    return "scheduled" if any(r.pending for r in recipients) else {"completed": ""}


def _nested_recipient(recipient: Recipient) -> dict[str, Any]:
    shown: dict[str, Any] = {"address": recipient.address, "status": "scheduled"}
    if recipient.status == "completed":
        shown["status"] = {"completed": str(recipient.reply)}
    elif recipient.failure is not None and recipient.failure.own:
        shown["status"] = {recipient.status: recipient.failure.nested_text}
    if recipient.orcpt is not None:
        shown["orcpt"] = recipient.orcpt
    return shown
