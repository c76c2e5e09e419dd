"""The simulated server: release, edition and configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Edition = Literal["community", "unlicensed", "enterprise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    One configured Stalwart of the REST generation (v0.10 to v0.15) or of the JMAP generation (from v0.16 on).

    Attributes:
        edition: `community` was built without the enterprise code, `unlicensed` has the code but no licence.
        metrics_store, trace_store: Whether a history store is configured; no effect below `enterprise`.
        native_login: Basic name and secret of `/metrics/prometheus`; None leaves the page open.
        correct_histograms: Cumulative buckets and `+Inf`, unlike any real server: those print non-cumulative buckets
            and
            call the last bound `inf`.
        log_files: Whether a log tracer with a path is configured; without one `/api/logs` and `x:Log` are unsupported.
        log_directory_missing: The tracer's path does not exist: reading the log fails.
        log_level, log_ansi, log_multiline: Configuration of that tracer. At level `TRACE` the log holds each HTTP
            request
            and response.
        remote_queue: The virtual queue of mail for other servers, which an administrator can change to `default`.
        policy_lookups: MTA-STS and DANE are looked up before delivery (None: from v0.13 on, as in the recordings).
        signs_mail: Keys for DKIM and ARC are configured; a new server warns with each message it queues.
        metrics_interval_seconds: Time between two samples of the metrics history, aligned to the clock.
        live_websocket: The live streams use WebSocket if a client requests it, as documented; real servers answer the
            handshake with Server-Sent Events.
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
    remote_queue: Literal["remote", "default"] = "remote"
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
        """Whether this is the JMAP generation: management objects instead of the REST API."""
        return self.release >= (0, 16)

    @property
    def misnamed_counters(self) -> bool:
        """Whether live counters have the names of other events, on the page and in the stream."""
        return (0, 16) <= self.release < (0, 16, 12)

    @property
    def misses_signers(self) -> bool:
        """Whether each message it queues or accepts logs missing DKIM keys; the JMAP generation does not."""
        return not self.signs_mail and not self.jmap

    @property
    def nested_queue(self) -> bool:
        """Whether recipients are grouped by domain, without virtual queues."""
        return self.release < (0, 13)

    @property
    def has_queue_status(self) -> bool:
        """Whether `/api/queue/status` exists, and list responses carry `status`."""
        return self.release >= (0, 11)

    @property
    def ignores_recipients(self) -> bool:
        """Whether retries, and cancellations of single recipients, do nothing outside a virtual queue `default`."""
        return (0, 13) <= self.release < (0, 16, 9)

    @property
    def sleeps_after_pause(self) -> bool:
        """Whether a resumed queue waits for the next queue event."""
        return (0, 11) <= self.release < (0, 16, 13)

    @property
    def caches_logins(self) -> bool:
        """Whether repeated logins are answered from a cache; from v0.13.2 each request logs in again."""
        return self.release < (0, 13, 2)

    @property
    def challenges_every_401(self) -> bool:
        """Whether each 401 has `WWW-Authenticate`; otherwise only those for malformed or invalid credentials do."""
        return self.release[:2] == (0, 12)

    @property
    def counts_api_login_failures(self) -> bool:
        """Whether a refused `/api` request raises `auth.failed`; from v0.13 on it does not."""
        return self.release < (0, 13)

    @property
    def looks_up_policies(self) -> bool:
        """Whether deliveries begin with MTA-STS and DANE lookups."""
        return self.policy_lookups if self.policy_lookups is not None else not self.nested_queue

    @property
    def enterprise(self) -> bool:
        """Whether a valid licence is present."""
        return self.edition == "enterprise"

    @property
    def keeps_traces(self) -> bool:
        """Whether ended spans are stored."""
        return self.enterprise and self.trace_store

    @property
    def keeps_metrics(self) -> bool:
        """Whether metric samples are stored."""
        return self.enterprise and self.metrics_store
