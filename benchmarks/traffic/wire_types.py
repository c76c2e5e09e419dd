"""Every documented field of a queue page in its type: what plain typed decoding would give."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Recipient(msgspec.Struct):
    """One recipient, as from v0.13 to v0.15."""

    address: str
    queue: str
    status: str | dict[str, str]
    retry_num: int
    next_retry: datetime
    next_notify: datetime | None = None
    expires: datetime | None = None
    orcpt: str | None = None


class Message(msgspec.Struct):
    """One message, as from v0.13 to v0.15."""

    id: int
    return_path: str
    recipients: list[Recipient]
    created: datetime
    size: int
    blob_hash: str
    priority: int = 0
    env_id: str | None = None


class Data(msgspec.Struct):
    """What stands under ``data``."""

    items: list[Message]
    total: int
    status: bool | None = None


class Page(msgspec.Struct):
    """One answer of those releases."""

    data: Data


class JmapStatus(msgspec.Struct, rename="camel"):
    """How far a recipient has come, as from v0.16 on."""

    type: str = msgspec.field(name="@type")
    error_type: str | None = None
    error_message: str | None = None
    error_command: str | None = None
    response_hostname: str | None = None
    response_code: int | None = None
    response_enhanced: str | None = None
    response_message: str | None = None


class JmapExpiry(msgspec.Struct, rename="camel"):
    """When a recipient is given up."""

    type: str = msgspec.field(name="@type")
    expires_at: datetime | None = None
    expires_attempts: int | None = None


class JmapRecipient(msgspec.Struct, rename="camel"):
    """One recipient, as from v0.16 on."""

    retry_count: int
    retry_due: datetime
    notify_count: int
    notify_due: datetime
    expires: JmapExpiry
    queue_name: str
    status: JmapStatus
    flags: dict[str, bool]
    orcpt: str | None = None


class JmapMessage(msgspec.Struct, rename="camel"):
    """One message, as from v0.16 on."""

    id: str
    created_at: datetime
    next_retry: datetime | None
    next_notify: datetime | None
    blob_id: str
    return_path: str
    recipients: dict[str, JmapRecipient]
    received_from_ip: str
    received_via_port: int
    flags: dict[str, bool]
    size: int
    env_id: str | None = None
    priority: int = 0


class JmapResult(msgspec.Struct, rename="camel"):
    """What a query or a get gave."""

    account_id: str
    items: list[JmapMessage] = msgspec.field(name="list", default_factory=list)
    ids: list[str] = msgspec.field(default_factory=list)
    not_found: list[Any] = msgspec.field(default_factory=list)


class JmapAnswer(msgspec.Struct, rename="camel"):
    """One answer of v0.16."""

    method_responses: list[tuple[str, JmapResult, str]]
