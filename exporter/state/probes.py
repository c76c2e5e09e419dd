"""The latest results of probes of one server, until they become stale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.model.outside import RoundTripProbe
from exporter.model.posture import DeliveryProbe, SpamProbe

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Probed(Generic[T]):
    """
    The result of one probe.

    Attributes:
        at: When it ended, in Unix seconds.
        expires_at: In monotonic seconds.
    """

    result: T
    at: float
    expires_at: float


class ProbeBoard:
    """The results by domain, by message, by part of the authentication, and that of the round trip."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._deliveries: dict[str, Probed[DeliveryProbe]] = {}
        self._spam: dict[str, Probed[SpamProbe]] = {}
        self._version = 0
        self._authentication: dict[str, Probed[str]] = {}
        self._round_trips: dict[str, Probed[RoundTripProbe]] = {}

    def note_delivery(self, probe: DeliveryProbe, *, at: float, fresh_seconds: float) -> None:
        """Replace the result of a domain."""
        self._deliveries[probe.domain] = Probed(probe, at, self._monotonic() + fresh_seconds)
        self._version += 1

    def note_spam(self, probe: SpamProbe, *, at: float, fresh_seconds: float) -> None:
        """Replace the result of a message."""
        self._spam[probe.message] = Probed(probe, at, self._monotonic() + fresh_seconds)
        self._version += 1

    def note_authentication(self, results: Mapping[str, str], *, at: float, fresh_seconds: float) -> None:
        """Replace the results by part."""
        expires_at = self._monotonic() + fresh_seconds
        self._authentication = {part: Probed(result, at, expires_at) for part, result in results.items()}
        self._version += 1

    def note_round_trip(self, probe: RoundTripProbe, *, at: float, fresh_seconds: float) -> None:
        """Replace the result."""
        self._round_trips = {"": Probed(probe, at, self._monotonic() + fresh_seconds)}
        self._version += 1

    @property
    def round_trip(self) -> Probed[RoundTripProbe] | None:
        """The latest result; ``None`` if there is none that is fresh."""
        return self._fresh(self._round_trips).get("")

    @property
    def authentication(self) -> Mapping[str, Probed[str]]:
        """The fresh results by part."""
        return self._fresh(self._authentication)

    @property
    def deliveries(self) -> Mapping[str, Probed[DeliveryProbe]]:
        """The fresh results by domain."""
        return self._fresh(self._deliveries)

    @property
    def spam(self) -> Mapping[str, Probed[SpamProbe]]:
        """The fresh results by message."""
        return self._fresh(self._spam)

    def version(self) -> tuple[int, int]:
        """Return a value that changes when a result changes and when one becomes stale."""
        fresh = len(self.deliveries) + len(self.spam) + len(self.authentication) + (self.round_trip is not None)
        return self._version, fresh

    def _fresh(self, results: Mapping[str, Probed[T]]) -> Mapping[str, Probed[T]]:
        now = self._monotonic()
        return {key: probed for key, probed in results.items() if now < probed.expires_at}
