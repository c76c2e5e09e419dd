"""What a server manages besides mail: accounts, certificates, tasks, blocked addresses, cluster nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

UNKNOWN = "unknown"
"""An unknown or unreadable type, reason or name."""


class AccountKind(StrEnum):
    """The kind of an account."""

    USER = "user"
    GROUP = "group"


class TaskState(StrEnum):
    """The state of a background task; a failed one is not retried."""

    PENDING = "pending"
    FAILED = "failed"


class NodeStatus(StrEnum):
    """The status of a cluster node: last seen up to an hour ago, up to a day ago, or longer."""

    ACTIVE = "active"
    STALE = "stale"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """
    A TLS certificate stored on the server.

    Attributes:
        names: Its host names and wildcards (``*.example.org``), sorted, in lower case and A-labels. Empty if none is
            valid.
        not_after: When it expires, aware and in UTC.
    """

    names: Sequence[str]
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """
    The inventory of a server. ``None`` means that the key may not read a part, never that it is empty.

    Attributes:
        accounts: By kind, as far as the key can see them; a tenant's key sees the tenant's.
        tasks: By the server's type (``AcmeRenewal``; ``unknown`` for those of a later release) and state. Every type is
            present, so that a first failure is an increase from zero.
        blocked: Blocked addresses by reason; ``unknown`` includes those that were not fetched one by one.
        nodes: Cluster nodes by status.
        unknown: The number of unknown values, by field.
    """

    accounts: Mapping[AccountKind, int] | None
    domains: int | None
    certificates: Sequence[Certificate] | None
    tasks: Mapping[tuple[str, TaskState], int] | None
    blocked: Mapping[str, int] | None
    nodes: Mapping[NodeStatus, int] | None
    unknown: Mapping[str, int] = field(default_factory=dict)

    @property
    def withheld(self) -> tuple[str, ...]:
        """The names of the parts that the key may not read."""
        return tuple(name for name in PARTS if getattr(self, name) is None)


PARTS = ("accounts", "domains", "certificates", "tasks", "blocked", "nodes")
"""The names of an inventory's parts."""
