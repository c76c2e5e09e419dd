"""
The state of one server: pollers and subscribers publish to it, collectors read it.

A snapshot is immutable and no longer exported once it expires. Only parts whose version has grown are rendered again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from exporter.errors import InternalError
from exporter.model.inventory import AccountSnapshot, Inventory
from exporter.model.queue import OutgoingReports, QueueSnapshot
from exporter.model.senders import SenderSnapshot
from exporter.model.server import Capability, CapabilityStatus, Edition, ServerIdentity
from exporter.stalwart.log_problems import LogProblem
from exporter.state.capped import CappedLabel
from exporter.state.costs import ApiCosts
from exporter.state.health import CollectorHealth
from exporter.state.posture import Posture
from exporter.state.report_gauges import PolicyReadiness
from exporter.state.streams import StreamHealth
from exporter.state.tally import TallyBook
from exporter.state.webhooks import WebhookHealth

T = TypeVar("T")


class Part(StrEnum):
    """A part of the state that changes, and is rendered, as a whole."""

    IDENTITY = "identity"
    QUEUE = "queue"
    FAILED = "failed"
    OUTGOING = "outgoing"
    GAUGES = "gauges"
    INVENTORY = "inventory"
    ACCOUNTS = "accounts"
    SETTINGS = "settings"
    POSTURE = "posture"
    SERVED = "served"
    BLOCKLISTS = "blocklists"
    SENDERS = "senders"
    READINESS = "readiness"
    TALLIES = "tallies"
    HEALTH = "health"


@dataclass(frozen=True, slots=True)
class Fresh(Generic[T]):
    """
    A value with an expiry.

    Attributes:
        expires_at: In monotonic seconds.
    """

    value: T
    expires_at: float


class ServerBoard:
    """The board of one server. Used from one event loop only; no method blocks."""

    def __init__(self, name: str, tallies: TallyBook, *, monotonic: Callable[[], float]) -> None:
        self.name = name
        self.tallies = tallies
        self.costs = ApiCosts()
        self.up: bool | None = None
        self.asked = False
        self.trouble = ""
        self.refused = False
        self.identity: ServerIdentity | None = None
        self.clock_skew_seconds: float | None = None
        self.clock_steps = 0
        self.capabilities: dict[Capability, CapabilityStatus] = {}
        self.metrics_source = ""
        self.collectors: dict[str, CollectorHealth] = {}
        self.detection_failures: dict[str, int] = {}
        self.streams: dict[str, StreamHealth] = {}
        self.webhook: WebhookHealth | None = None
        self.unknown: dict[str, int] = {}
        self.dropped: Counter[str] = Counter()
        self.log_gaps = 0
        self.trail_dropped = 0
        self.log_looked_at = False
        self.log_problem: LogProblem | None = None
        self._monotonic = monotonic
        self._fresh: dict[Part, Fresh[object]] = {}
        self._versions: dict[Part, int] = dict.fromkeys(Part, 0)
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call *listener* after every change; it must be quick and must not raise."""
        self._listeners.append(listener)

    def touch(self, part: Part) -> None:
        """Mark *part* as changed."""
        self._versions[part] += 1
        for listener in self._listeners:
            listener()

    def version(self, part: Part) -> tuple[int, bool]:
        """Return a value that changes when the content of *part* changes and when it becomes stale."""
        held = self._fresh.get(part)
        return self._versions[part], held is not None and self._monotonic() < held.expires_at

    def publish(self, part: Part, value: object, *, fresh_seconds: float) -> None:
        """Replace the snapshot of *part*; it stays fresh for *fresh_seconds*."""
        self._fresh[part] = Fresh(value, self._monotonic() + fresh_seconds)
        self.touch(part)

    def next_expiry(self) -> float | None:
        """Return when the next snapshot becomes stale, in monotonic seconds; ``None`` if none is fresh."""
        now = self._monotonic()
        return min((f.expires_at for f in self._fresh.values() if f.expires_at > now), default=None)

    def _held(self, part: Part) -> object | None:
        held = self._fresh.get(part)
        return held.value if held is not None and self._monotonic() < held.expires_at else None

    @property
    def queue(self) -> QueueSnapshot | None:
        """The latest queue snapshot; ``None`` before the first and once it is stale."""
        held = self._held(Part.QUEUE)
        return held if isinstance(held, QueueSnapshot) else None

    @property
    def failed(self) -> Mapping[str, int] | None:
        """Failing recipients by kind (``temporary``, ``permanent``); ``None`` unless fresh."""
        held = self._held(Part.FAILED)
        return held if isinstance(held, Mapping) else None

    @property
    def outgoing(self) -> OutgoingReports | None:
        """Reports waiting to be sent; ``None`` unless fresh."""
        held = self._held(Part.OUTGOING)
        return held if isinstance(held, OutgoingReports) else None

    @property
    def senders(self) -> SenderSnapshot | None:
        """Who sends; ``None`` unless fresh."""
        held = self._held(Part.SENDERS)
        return held if isinstance(held, SenderSnapshot) else None

    @property
    def readiness(self) -> PolicyReadiness | None:
        """Readiness for stricter DMARC policies; ``None`` unless fresh."""
        held = self._held(Part.READINESS)
        return held if isinstance(held, PolicyReadiness) else None

    @property
    def gauges(self) -> Mapping[str, int] | None:
        """The server's own gauges by metric id; ``None`` unless fresh."""
        held = self._held(Part.GAUGES)
        return held if isinstance(held, Mapping) else None

    @property
    def inventory(self) -> Inventory | None:
        """What the server manages besides mail; ``None`` unless fresh."""
        held = self._held(Part.INVENTORY)
        return held if isinstance(held, Inventory) else None

    @property
    def accounts(self) -> AccountSnapshot | None:
        """The accounts; ``None`` unless fresh."""
        held = self._held(Part.ACCOUNTS)
        return held if isinstance(held, AccountSnapshot) else None

    @property
    def settings_changes(self) -> Mapping[str, int] | None:
        """When each area of settings last changed, in Unix seconds; ``None`` unless fresh."""
        held = self._held(Part.SETTINGS)
        return held if isinstance(held, Mapping) else None

    @property
    def posture(self) -> Posture | None:
        """The results of the checks; ``None`` unless fresh."""
        held = self._held(Part.POSTURE)
        return held if isinstance(held, Posture) else None

    def held(self, part: Part, kind: type[T]) -> T | None:
        """Return the snapshot of *part*; ``None`` unless fresh."""
        held = self._held(part)
        return held if isinstance(held, kind) else None

    def count_unknown(self, unknown: Mapping[str, int]) -> None:
        """Add to the counts of unknown values, by field."""
        for name, count in unknown.items():
            self.unknown[name] = self.unknown.get(name, 0) + count
        if unknown:
            self.touch(Part.HEALTH)

    def capped_label(self, capped: CappedLabel, family: str, value: str, *, now: float, times: int = 1) -> str:
        """Return *capped*'s label for *value*; count *times* increments of *family* that it puts under ``other``."""
        before = capped.dropped
        label = capped.label(value, now)
        if capped.dropped != before:
            self.dropped[family] += times
            self.touch(Part.HEALTH)
        return label

    def count_trail_dropped(self, rows: int) -> None:
        """Count rows of the trail that could not be stored in time."""
        self.trail_dropped += rows
        self.touch(Part.HEALTH)

    def count_crash(self, collector: str, cause: str) -> None:
        """Count an unexpected end of a task: of *collector*, or of one without series. *cause* is a short text."""
        if (health := self.collectors.get(collector)) is not None:
            health.crashed(cause)
        else:
            reason = InternalError.reason
            self.detection_failures[reason] = self.detection_failures.get(reason, 0) + 1
        self.touch(Part.HEALTH)

    def show_source(self, source: str) -> None:
        """Set the source that feeds the server's counters."""
        if self.metrics_source != source:
            self.metrics_source = source
            self.touch(Part.IDENTITY)

    def show_log_problem(self, problem: LogProblem | None) -> None:
        """Set why the log is not read in full; ``None`` if it is."""
        self.log_looked_at, self.log_problem = True, problem
        self.touch(Part.HEALTH)

    def show_clock(self, skew_seconds: float, steps: int) -> None:
        """Set the server's clock minus ours, and how many times that clock was set while it was watched."""
        self.clock_skew_seconds, self.clock_steps = skew_seconds, steps
        self.touch(Part.IDENTITY)

    def learn_edition(self, edition: Edition) -> None:
        """Set the edition, as shown by a response."""
        if self.identity is not None and self.identity.edition is not edition:
            self.identity = replace(self.identity, edition=edition)
            self.touch(Part.IDENTITY)

    def learn_version(self, version: str) -> None:
        """Set the version, as found in the server's log."""
        if self.identity is not None and self.identity.version != version:
            self.identity = replace(self.identity, version=version)
            self.touch(Part.IDENTITY)

    def set_capability(self, capability: Capability, status: CapabilityStatus) -> bool:
        """Set the status of a capability; return true if it has changed."""
        if self.capabilities.get(capability) is status:
            return False
        self.capabilities[capability] = status
        self.touch(Part.IDENTITY)
        return True
