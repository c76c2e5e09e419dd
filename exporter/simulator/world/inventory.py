"""Objects of the JMAP generation besides mail: tasks, certificates, signatures, nodes, bans and samples."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from exporter.simulator.world.accounts.zone import PublicKey, new_public_key
from exporter.simulator.world.telemetry.snowflake import Snowflakes

TaskStatus = Literal["Pending", "Retry", "Failed"]
NodeStatus = Literal["active", "stale", "inactive"]

AUTH_FAILURE = "authFailure"
RENEWAL_SECONDS = 1800
STALE_SECONDS = 3600
INACTIVE_SECONDS = 86_400
RULES_URL = "https://github.com/stalwartlabs/spam-filter/releases/latest/download/spam-filter-rules.json.gz"
RULES_FAILURE = f"Failed to fetch {RULES_URL}: error sending request for url ({RULES_URL})"


@dataclass(slots=True, kw_only=True)
class Task:
    """
    A background task; times are Unix seconds.

    Attributes:
        subject: Members that only this kind of task has, such as `domainId`.
        due: Time of the next run; of the failure, if it failed permanently.
    """

    number: int
    kind: str
    created: float
    due: float
    status: TaskStatus = "Pending"
    attempts: int = 0
    reason: str = ""
    subject: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate for some names; times are Unix seconds."""

    number: int
    names: tuple[str, ...]
    issuer: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    A DKIM key; `next_stage` is when its stage changes.

    Attributes:
        domain: Empty for the local domain.
        public_key: In base64.
    """

    number: int
    kind: str
    selector: str
    stage: str
    created: float
    next_stage: float | None
    domain: str
    public_key: str

    @property
    def algorithm(self) -> str:
        """`rsa` or `ed25519`, as in DNS."""
        return "rsa" if "Rsa" in self.kind else "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A blocked address; `expires` is None for a permanent block."""

    number: int
    address: str
    reason: str
    created: float
    expires: float | None = None


@dataclass(slots=True, kw_only=True)
class Node:
    """A member of the cluster; it renews its entry while it runs, and its status follows from the last renewal."""

    node_id: int
    hostname: str
    renewed: float
    alive: bool = True

    def last_renewal(self, now: float) -> float:
        """Return its last renewal, in Unix seconds."""
        return now - (now - self.renewed) % RENEWAL_SECONDS if self.alive else self.renewed

    def status(self, now: float) -> NodeStatus:
        """Return its status at *now*."""
        age = now - self.last_renewal(now)
        if age <= STALE_SECONDS:
            return "active"
        return "stale" if age <= INACTIVE_SECONDS else "inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A message kept to train the spam filter."""

    number: int
    sender: str
    subject: str
    is_spam: bool
    created: float


class Inventory:
    """
    All objects, in the store: they survive restarts and upgrades.

    Attributes:
        nodes: By node id; this server is node 0.
        allowed: Addresses that are never blocked.
        report_patterns: Addresses whose reports are analysed.
        settings: Settings of the JMAP generation by type; the members of their object.
        hooks: The webhooks that are listed among the settings.
    """

    def __init__(self, ids: Snowflakes, now: Callable[[], float], hostname: str) -> None:
        self._ids = ids
        self._now = now
        self.set_up = now()
        self.tasks: dict[int, Task] = {}
        self.certificates: dict[int, Certificate] = {}
        self.signatures: dict[int, Signature] = {}
        self.blocks: dict[str, Block] = {}
        self.allowed: dict[str, int] = {}
        self.samples: dict[int, Sample] = {}
        self.settings: dict[str, dict[str, Any]] = {
            "MtaStageRcpt": {"maxFailures": {"match": {}, "else": "5"}, "maxRecipients": {"match": {}, "else": "100"}},
            "SystemSettings": {"defaultHostname": hostname, "threadPoolSize": None},
        }
        self.hooks: dict[int, dict[str, Any]] = {}
        self.report_patterns = ["dmarc@*", "postmaster@*", "tls@*"]
        self.nodes: dict[int, Node] = {0: Node(node_id=0, hostname=hostname, renewed=self.set_up)}
        for attempts in (2, 1):
            self.add_task("SpamFilterMaintenance", status="Retry", attempts=attempts, reason=RULES_FAILURE)

    def _number(self) -> int:
        return self._ids.next(self._now())

    def add_task(
        self,
        kind: str,
        *,
        status: TaskStatus = "Pending",
        due_in: float = 90.0,
        attempts: int = 0,
        reason: str = "",
        subject: dict[str, str] | None = None,
    ) -> Task:
        """Add a task; a failed one needs attempts and a reason."""
        now = self._now()
        if kind == "SpamFilterMaintenance" and subject is None:
            subject = {"maintenanceType": "updateRules"}
        task = Task(
            number=self._number(),
            kind=kind,
            created=now,
            due=now + due_in,
            status=status,
            attempts=attempts,
            reason=reason,
            subject=subject or {},
        )
        self.tasks[task.number] = task
        return task

    def end_task(self, number: int) -> None:
        """Remove a finished task."""
        self.tasks.pop(number, None)

    def add_certificate(self, names: tuple[str, ...], *, days_left: float, issuer: str = "Lab CA") -> Certificate:
        """Add a certificate of 90 days that expires in *days_left*, or has expired."""
        ends = self._now() + days_left * 86_400
        certificate = Certificate(
            number=self._number(), names=names, issuer=issuer, begins=ends - 90 * 86_400, ends=ends
        )
        self.certificates[certificate.number] = certificate
        return certificate

    def add_signature(
        self,
        selector: str,
        *,
        kind: str = "Dkim1Ed25519Sha256",
        stage: str = "active",
        next_in: float | None = None,
        domain: str = "",
    ) -> Signature:
        """Add a DKIM key, by default of the local domain, whose stage changes in `next_in` seconds."""
        now = self._now()
        signature = Signature(
            number=self._number(),
            kind=kind,
            selector=selector,
            stage=stage,
            created=now,
            next_stage=now + next_in if next_in is not None else None,
            domain=domain,
            public_key=new_public_key("rsa" if "Rsa" in kind else "ed25519", random.Random(selector + domain)),
        )
        self.signatures[signature.number] = signature
        return signature

    def public_keys(self, domain: str, *, local: bool) -> list[PublicKey]:
        """Return the DKIM keys of *domain*; *local* says that it is the local one."""
        return [
            PublicKey(one.selector, one.algorithm, one.public_key)
            for one in self.signatures.values()
            if one.domain == domain or (local and not one.domain)
        ]

    def block(self, address: str, reason: str = "manual", expires_in: float | None = None) -> Block:
        """Block an address."""
        now = self._now()
        expires = now + expires_in if expires_in is not None else None
        block = Block(number=self._number(), address=address, reason=reason, created=now, expires=expires)
        self.blocks[address] = block
        return block

    def unblock(self, address: str) -> None:
        """Unblock an address."""
        self.blocks.pop(address, None)

    def allow(self, address: str) -> int:
        """Add an address that is never blocked; return the number of the entry."""
        return self.allowed.setdefault(address, self._number())

    def add_node(self, hostname: str, *, silent_for: float = 0.0) -> Node:
        """Add another node of the cluster, whose last renewal was *silent_for* seconds ago."""
        renewed = self._now() - silent_for
        node = Node(node_id=max(self.nodes) + 1, hostname=hostname, renewed=renewed, alive=not silent_for)
        self.nodes[node.node_id] = node
        return node

    def add_sample(self, sender: str, *, is_spam: bool, subject: str = "sample") -> Sample:
        """Add a message that was marked as spam or ham."""
        sample = Sample(number=self._number(), sender=sender, subject=subject, is_spam=is_spam, created=self._now())
        self.samples[sample.number] = sample
        return sample
