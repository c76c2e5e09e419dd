"""Which server the stand-in plays: release, edition, and what its operator configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Edition = Literal["community", "unlicensed", "enterprise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    One configured Stalwart of the REST generation (v0.10 to v0.15) or of the JMAP generation (from v0.16 on).

    Attributes:
        edition: `community` was built without the enterprise code, `unlicensed` has the code and no licence.
        metrics_store, trace_store: A history store is configured; without effect below `enterprise`.
        native_login: Basic name and secret of `/metrics/prometheus`; None leaves the page open.
        correct_histograms: The page of a server that does not exist: cumulative buckets, `+Inf`. Real ones print
            each bucket's own count and call the last bound `inf`.
        log_files: A log tracer with a path is configured; without one `/api/logs` is unsupported,
            and so is `x:Log`.
        log_directory_missing: The tracer's path does not exist: reading the log fails.
        log_level, log_ansi, log_multiline: How that tracer is configured. At level `TRACE` the log holds each HTTP
            request and response.
        policy_lookups: MTA-STS and DANE are looked up before delivery (None: from v0.13 on, as in the recordings).
        signs_mail: Keys for DKIM and ARC are configured; a freshly set up server warns with each message it queues.
        metrics_interval_seconds: Time between two samples of the metrics history, aligned to the clock.
        live_websocket: The live streams speak WebSocket where a client asks for it, as documented; real servers answer
            the handshake with Server-Sent Events.
        exempt_loopback: Loopback is neither limited as an anonymous client nor banned, as on the real server.
        greeting_timeout_seconds: How long a delivery waits for a silent host.
    """

    version: str = "0.15.5"
    edition: Edition = "community"
    metrics_store: bool = False
    trace_store: bool = False
    native_page: bool = True
    native_login: tuple[str, str] | None = ("prometheus", "lab-prometheus-secret")
    correct_histograms: bool = False
    log_files: bool = True
    log_directory_missing: bool = False
    log_level: str = "INFO"
    log_ansi: bool = False
    log_multiline: bool = False
    policy_lookups: bool | None = None
    signs_mail: bool = False
    metrics_interval_seconds: float = 3600.0
    live_websocket: bool = False
    exempt_loopback: bool = True
    hostname: str = "mx.example.test"
    local_domain: str = "example.test"
    greeting_timeout_seconds: float = 5.0
    ban_after_failures: int = 100
    anonymous_per_minute: int = 100
    account_per_minute: int = 1000
    concurrent_requests: int = 4

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, for comparison."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def jmap(self) -> bool:
        """The JMAP generation: management objects instead of the REST API."""
        return self.release >= (0, 16)

    @property
    def misnamed_counters(self) -> bool:
        """Live counters stand under other events' names, on the page and in the stream."""
        return (0, 16) <= self.release < (0, 16, 12)

    @property
    def misses_signers(self) -> bool:
        """Each message it queues or takes warns of missing DKIM keys; the JMAP generation does not mention them."""
        return not self.signs_mail and not self.jmap

    @property
    def nested_queue(self) -> bool:
        """Recipients are grouped by domain, and there are no virtual queues."""
        return self.release < (0, 13)

    @property
    def has_queue_status(self) -> bool:
        """`/api/queue/status` exists, and list answers carry `status`."""
        return self.release >= (0, 11)

    @property
    def caches_logins(self) -> bool:
        """A login that succeeded once is answered from a cache; from v0.13.2 each request logs in anew."""
        return self.release < (0, 13, 2)

    @property
    def challenges_every_401(self) -> bool:
        """Each 401 carries `WWW-Authenticate`; elsewhere only those for malformed or invalid credentials do."""
        return self.release[:2] == (0, 12)

    @property
    def counts_api_login_failures(self) -> bool:
        """A refused `/api` request raises `auth.failed`; from v0.13 on it is swallowed."""
        return self.release < (0, 13)

    @property
    def looks_up_policies(self) -> bool:
        """Deliveries begin with MTA-STS and DANE look-ups."""
        return self.policy_lookups if self.policy_lookups is not None else not self.nested_queue

    @property
    def enterprise(self) -> bool:
        """A valid licence is present."""
        return self.edition == "enterprise"

    @property
    def keeps_traces(self) -> bool:
        """Ended spans are stored."""
        return self.enterprise and self.trace_store

    @property
    def keeps_metrics(self) -> bool:
        """Metric samples are stored."""
        return self.enterprise and self.metrics_store
