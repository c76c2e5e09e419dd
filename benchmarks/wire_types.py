"""Every documented field of a queue page (v0.13 to v0.15) in its type: what plain typed decoding would give."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Recipient(msgspec.Struct):
    """One recipient."""

    address: str
    queue: str
    status: str | dict[str, str]
    retry_num: int
    next_retry: datetime
    next_notify: datetime | None = None
    expires: datetime | None = None
    orcpt: str | None = None


class Message(msgspec.Struct):
    """One message."""

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
    """One answer."""

    data: Data
