"""
Delivery outcomes from live traces, stored traces, a webhook or the log, each counted once.

The traces and the log report the same deliveries. Each source therefore owns a span of *event* time, and an outcome is
counted only by an owner of its second. Live and stored traces share their spans; see `reconciliation`. So do a webhook
and the log; see `shared_outcomes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exporter.clock import Clock, unix_second
from exporter.domains import UNKNOWN_DOMAIN, domain_name
from exporter.ingest.counting.trail.recorder import TrailPolicy, TrailRecorder
from exporter.model.delivery import DeliveryOutcome, Outcome
from exporter.stalwart.http.server_clock import STEP_SECONDS
from exporter.state.board import ServerBoard
from exporter.state.capped import CappedLabel
from exporter.state.tally import Increments, add
from exporter.store.trail.masking import AddressMask

LIVE, TRACES, WEBHOOK, LOG = "live", "traces", "webhook", "log"
_PAIRS = (frozenset({LIVE, TRACES}), frozenset({WEBHOOK, LOG}))
OWNERS_MARK = "delivery_owners"

HANDOVER_SECONDS = 5
"""A new owner's span begins this far ahead of the server's clock, which is known to the second at best."""

OWNERS_KEPT = 8
FAMILY = "stalwart_domain_deliveries_total"


class DeliveryOwners:
    """
    The owners of spans of event time, by the server's *clock*, the newest span first.

    After that clock was set back, the newest source owns everything from then on; events with an earlier timestamp
    still belong to their former owner.
    """

    def __init__(self, clock: Clock, state: Any | None = None) -> None:
        self._clock = clock
        self._spans: list[tuple[int, str]] = [(at, name) for at, name in state] if state else []
        self._lost: set[str] = set()
        self._before: list[tuple[int, str]] = []

    def take_over(self, source: str) -> None:
        """Make *source* the owner of events from about now on."""
        self._lost.discard(source)
        if self._spans and _same(self._spans[0][1], source):
            return
        self._follow_clock()
        begins = int(self._clock.now().timestamp()) + HANDOVER_SECONDS if self._spans else 0
        self._spans.insert(0, (begins, source))
        del self._spans[OWNERS_KEPT:]

    def give_up(self, source: str) -> None:
        """Record that *source* is unavailable: if it is the owner, another source may take over."""
        self._lost.add(source)

    @property
    def vacant(self) -> bool:
        """Whether no available source owns the events that happen next."""
        if not self._spans:
            return True
        owner = self._spans[0][1]
        return next(pair for pair in _PAIRS if owner in pair) <= self._lost

    def owns(self, source: str, at: int) -> bool:
        """Return whether *source* counts events at *at* (Unix seconds)."""
        now = self._follow_clock()
        spans = self._before if self._before and at > now + STEP_SECONDS else self._spans
        for begins, owner in spans:
            if at >= begins:
                return _same(owner, source)
        return False

    def _follow_clock(self) -> int:
        """Return the server's time in Unix seconds, after adjusting the spans if its clock was set back."""
        now = int(self._clock.now().timestamp())
        if self._spans and self._spans[0][0] > now + HANDOVER_SECONDS + STEP_SECONDS:
            self._before, self._spans = self._spans, [(0, self._spans[0][1])]
        return now

    def to_state(self) -> Any:
        """Return the state as JSON-serializable data."""
        return [[at, name] for at, name in self._spans]


def _same(owner: str, source: str) -> bool:
    return any({owner, source} <= pair for pair in _PAIRS)


class DeliveryCounter:
    """
    Turns outcomes into increments, with a cap on the domain label, and into rows of the trail.

    *relay_host*: The host whose accepted recipients are counted, as from `domain_name`; empty if there is none.
    """

    def __init__(
        self,
        board: ServerBoard,
        owners: DeliveryOwners,
        clock: Clock,
        *,
        max_domains: int,
        trail: TrailPolicy | None = None,
        relay_host: str = "",
    ) -> None:
        self._board = board
        self._owners = owners
        self._clock = clock
        self._max_domains = max_domains
        self._trail = trail
        self._relay_host = relay_host
        known = {labels[0] for labels in board.tallies.family("domain_deliveries")}
        self._capped = CappedLabel(max_domains, sorted(known), now=clock.monotonic())

    @property
    def mask(self) -> AddressMask | None:
        """The mask of what is kept; ``None`` if nothing is."""
        return None if self._trail is None else self._trail.mask

    def recorder(self, source: str, state: Any | None = None) -> TrailRecorder:
        """Return a recorder for the trail of *source*, which continues with *state* of `TrailRecorder.to_state`."""

        def owns(at: int) -> bool:
            return self._owners.owns(source, at)

        return TrailRecorder(source, self._trail, owns, is_complete=source != LOG, state=state)

    def end_sessions(self, recorder: TrailRecorder) -> None:
        """Let *recorder* conclude the sessions that have ended by the server's clock."""
        recorder.take_ended(int(self._clock.now().timestamp()))

    def count(
        self,
        source: str,
        outcomes: Iterable[DeliveryOutcome],
        increments: Increments,
        recorder: TrailRecorder | None = None,
    ) -> None:
        """
        Add those *outcomes* that *source* owns to *increments*, and their rows to *recorder*.

        Large batches are cheaper, since most outcomes are alike.
        """
        alike: dict[tuple[Outcome, str, str, str], int] = {}
        at, owned = None, False
        relayed = 0
        for outcome in outcomes:
            if outcome.at != at:
                at = outcome.at
                owned = self._owners.owns(source, unix_second(at))
            if owned:
                key = (outcome.outcome, outcome.reason, outcome.code, outcome.domain)
                alike[key] = alike.get(key, 0) + 1
                relayed += self._relay_host != "" and self._is_relayed(outcome)
                if recorder is not None:
                    recorder.add_outcome(outcome)
        if relayed:
            add(increments, "relay_recipients", (), relayed)
        for (became, reason, code, domain), times in alike.items():
            add(increments, "deliveries", (became.value, reason, code), times)
            if self._max_domains:
                add(increments, "domain_deliveries", (self._label(domain, times), became.value), times)

    def _is_relayed(self, outcome: DeliveryOutcome) -> bool:
        event = outcome.event
        if event is None or outcome.outcome is not Outcome.DELIVERED:
            return False
        return domain_name(event.hostname) == self._relay_host

    def _label(self, domain: str, times: int) -> str:
        named, now = domain or UNKNOWN_DOMAIN, self._clock.monotonic()
        return self._board.capped_label(self._capped, FAMILY, named, now=now, times=times)
