"""What a server holds beside mail: accounts, certificates, tasks, blocked addresses, cluster nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

UNKNOWN = "unknown"
"""Stands for a type, a reason or a name that we do not know or cannot read."""


class AccountKind(StrEnum):
    """What an account stands for."""

    USER = "user"
    GROUP = "group"


class TaskState(StrEnum):
    """How far a background task has come: one that failed is given up."""

    PENDING = "pending"
    FAILED = "failed"


class NodeStatus(StrEnum):
    """How long ago a cluster node was last heard of: up to an hour, up to a day, longer."""

    ACTIVE = "active"
    STALE = "stale"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """
    A TLS certificate that the server serves or could serve.

    Attributes:
        names: The host names that it is for (``*.example.org`` among them), sorted, in lower case and A-labels.
            Empty if none can be read.
        not_after: When it expires, aware and in UTC.
    """

    names: Sequence[str]
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """
    What a server holds. ``None`` where our key may not ask, never for "none there".

    Attributes:
        accounts: By kind, as far as our key may see them: a tenant's key sees the tenant's.
        tasks: By the server's type (``AcmeRenewal``; ``unknown`` for those of a later release) and state. Every type is
            there, at zero if need be: one that fails for the first time rises from there.
        blocked: Blocked addresses by reason; ``unknown`` also counts those beyond what is looked at one by one.
        nodes: Cluster nodes by status.
        unknown: Values that we did not know, by field.
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
        """The parts that our key may not ask for, by name."""
        return tuple(name for name in PARTS if getattr(self, name) is None)


PARTS = ("accounts", "domains", "certificates", "tasks", "blocked", "nodes")
"""What an inventory is made of."""
