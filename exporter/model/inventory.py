"""What a server manages besides mail: accounts, certificates, tasks, blocked addresses, cluster nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

UNKNOWN = "unknown"
"""An unknown or unreadable type, reason or name."""


class AccountKind(StrEnum):
    """The kind of an account; a mailing list is none to the server, but counted beside them."""

    USER = "user"
    GROUP = "group"
    LIST = "list"


class AccountFeature(StrEnum):
    """What a user's account has."""

    PASSWORD = "password"  # noqa: S105 - not a secret
    SECOND_FACTOR = "second_factor"
    APPLICATION_PASSWORD = "application_password"  # noqa: S105 - not a secret
    API_KEY = "api_key"
    ENCRYPTION_AT_REST = "encryption_at_rest"


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


QUOTA_THRESHOLDS = (0.8, 0.9, 1.0)
"""The shares of a quota from which on its accounts are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainUsage:
    """
    What the mailboxes of a domain use, in bytes.

    Attributes:
        limited: Used by accounts that have a quota.
        unlimited: Used by accounts without a quota of their own.
        quota: The sum of the quotas.
    """

    limited: int = 0
    unlimited: int = 0
    quota: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """
    The use of one account's quota, in bytes.

    Attributes:
        account_id: The server's id, which is not a name.
        quota: Greater than 0.
    """

    account_id: str
    used: int
    quota: int

    @property
    def share(self) -> float:
        """The used part of the quota; above 1 if the quota was lowered."""
        return self.used / self.quota


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSums:
    """
    The accounts of a server, added up while their pages went by; no name or address is kept.

    Attributes:
        kinds: Accounts by kind; a kind that the key may not read is absent.
        domains: By the domain of an account's first address; ``unknown`` for accounts without one.
        at_threshold: By each of `QUOTA_THRESHOLDS`: users that have used at least that share of their quota.
        features: Users by feature; ``None`` if the server shows them only together with secrets.
        fullest: The users closest to their quotas, the fullest first; see `FULLEST_KEPT`.
        truncated: There are more users than are read; all but `kinds` are then lower bounds.
    """

    kinds: Mapping[AccountKind, int]
    domains: Mapping[str, DomainUsage]
    at_threshold: Mapping[float, int]
    features: Mapping[AccountFeature, int] | None
    fullest: Sequence[QuotaUse]
    truncated: bool


FULLEST_KEPT = 1000
"""Users whose growth is observed."""


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """
    The accounts of a server at one instant.

    Attributes:
        full_at: When the first account has used up its quota if it grows on as it did, in Unix seconds; ``None`` if
            none grows, or none has been observed for long enough.
    """

    sums: AccountSums
    full_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDigests:
    """
    Keyed digests of a server's settings; no value can be read from them.

    Attributes:
        digests: By kind of settings.
        areas: The area of each kind.
    """

    digests: Mapping[str, str]
    areas: Mapping[str, str]
