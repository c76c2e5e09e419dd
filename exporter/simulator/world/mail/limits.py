"""The server's own limits: outbound ones hold queued recipients back, inbound ones turn recipients away."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.simulator.world.values import Duration, Keys

WINDOW_SECONDS = 3600.0


@dataclass(slots=True)
class Limit:
    """
    So many messages per recipient domain and window; windows begin at multiples of their length.

    Attributes:
        id: As the server's events show it.
        queue: Only recipients of this virtual queue; empty for all.
        domain: Only recipients of this domain; empty for all.
    """

    id: str
    count: int
    window_seconds: float = WINDOW_SECONDS
    queue: str = ""
    domain: str = ""
    used: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def keys(self) -> Keys:
        """The keys of the event about a limit that is used up."""
        return {"id": self.id, "limit": (self.count, Duration(int(self.window_seconds * 1000)))}

    def release(self, domain: str, now: float) -> float | None:
        """Use the limit once; if it is used up, return when the next window begins instead."""
        window = int(now // self.window_seconds)
        used = self.used.get((domain, window), 0)
        if used >= self.count:
            return (window + 1) * self.window_seconds
        self.used = {key: times for key, times in self.used.items() if key[1] == window}
        self.used[domain, window] = used + 1
        return None


class Limits:
    """
    The limits that an administrator has set.

    Attributes:
        outbound: Checked for each domain of an attempt, local ones included.
        inbound: Checked for each recipient of mail from outside.
    """

    def __init__(self) -> None:
        self.outbound: list[Limit] = []
        self.inbound: list[Limit] = []

    def hold(self, domain: str, queue: str, now: float) -> tuple[Limit, float] | None:
        """Return the outbound limit that holds mail for *domain* back, and until when; None if it may go."""
        for limit in self.outbound:
            if limit.queue not in ("", queue) or limit.domain not in ("", domain):
                continue
            release = limit.release(domain, now)
            if release is not None:
                return limit, release
        return None

    def turn_away(self, domain: str, now: float) -> Limit | None:
        """Return the inbound limit that refuses a recipient for now; None if it is accepted."""
        return next((limit for limit in self.inbound if limit.release(domain, now) is not None), None)
