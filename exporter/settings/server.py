"""The settings of one watched server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationInfo, field_validator, model_validator

from exporter.settings.addresses import host_of, is_loopback
from exporter.settings.files import CERTIFICATES_LIMIT_BYTES, read_bounded
from exporter.settings.rules import credential_problems, tls_problems, validate_with
from exporter.settings.secret import Secret, with_secrets_read
from exporter.settings.section import Section
from exporter.settings.types import (
    MAX_NAME_LENGTH,
    CertificatesFile,
    Count,
    Duration,
    Name,
    Password,
    PrivateKeyFile,
    SecretFile,
    ServerUrl,
    Size,
    Token,
    Username,
)
from exporter.settings.units import DAY, GIB, KIB, MIB, MINUTE, SECOND

REMOTE_REQUEST_LIMIT = 60
"""Requests a minute to a remote server stay below this: Stalwart allows an address 100 that it counts as anonymous."""

Interval = Annotated[Duration, Field(ge=SECOND, le=DAY)]
Deadline = Annotated[Duration, Field(ge=0.1, le=10 * MINUTE)]


@dataclass(frozen=True, slots=True)
class BasicLogin:
    """Credentials of HTTP Basic authentication."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An API key or an OAuth access token."""

    token: Secret


class IntervalSettings(Section):
    """How long each poll waits from start to start. A poll that overruns is not started twice."""

    queue: Interval = Field(
        default=30.0,
        description="Walk over the outbound queue; short, because a growing queue is the first sign of trouble.",
    )
    metrics: Interval = Field(
        default=60.0, description="Metrics that the server stores (enterprise edition); it writes them hourly."
    )
    native: Interval = Field(
        default=60.0,
        description="The server's own Prometheus page; asked only with `native_username`.",
    )
    logs: Interval = Field(default=60.0, description="New lines of the server's log.")
    traces: Interval = Field(
        default=60.0, description="Finished delivery attempts that the server stores (enterprise edition)."
    )
    failed: Interval = Field(default=60.0, description="Recipients in failure; shares the queue's pages where it can.")
    reports: Interval = Field(
        default=300.0, description="DMARC, TLS and ARF reports received; they arrive a few times a day."
    )
    outgoing: Interval = Field(default=300.0, description="DMARC and TLS reports that wait to be sent.")
    inventory: Interval = Field(
        default=300.0,
        description="Accounts, domains, certificates, tasks, blocked addresses and cluster nodes (v0.16 and newer): "
        "about eight requests, for what moves by the hour.",
    )


class StreamSettings(Section):
    """The live streams of metrics and traces (enterprise edition)."""

    transport: Literal["auto", "websocket", "sse", "off"] = Field(
        default="auto",
        description="`auto` offers a WebSocket and takes Server-Sent Events where the server answers with those; "
        "servers of v0.16 and newer have nothing else, and are offered none. The next two force one: `websocket` "
        "follows no stream of such a server, and says so. `off` opens no stream, and polls alone feed the metrics.",
    )


class TlsSettings(Section):
    """How the server's certificate is checked, and which one we show."""

    ca_file: CertificatesFile | None = Field(
        default=None,
        description="Certificate authorities (PEM) to trust in place of the system's, for a private CA or a "
        "self-signed certificate.",
    )
    insecure_skip_verify: bool = Field(
        default=False,
        description="Accept any certificate. Whoever sits between can then read the credentials: "
        "`ca_file` is the better way. Warns.",
    )
    cert_file: CertificatesFile | None = Field(
        default=None, description="Client certificate (PEM), where a proxy in front of the server asks for one."
    )
    key_file: PrivateKeyFile | None = Field(
        default=None, description="Its private key (PEM, not encrypted), if `cert_file` does not hold it."
    )

    _digest: bytes = PrivateAttr(default=b"")

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return validate_with(data, handler, [*tls_problems(data)] if isinstance(data, Mapping) else [])

    @model_validator(mode="after")
    def _remember_contents(self) -> Self:
        """Makes two settings differ when a file was renewed under its old name, so that a reload takes it up."""
        paths = [path for path in (self.ca_file, self.cert_file, self.key_file) if path is not None]
        contents = [sha256(read_bounded(path, CERTIFICATES_LIMIT_BYTES)).digest() for path in paths]
        self._digest = b"".join(contents)
        return self


class ServerSettings(Section):
    """
    One Stalwart server. Exactly one kind of credential: `username` with `password` or `password_file`, or else `token`
    or `token_file`.
    """

    url: ServerUrl = Field(
        description="Where the management API answers, such as `https://mx1.example.org`. Plain http to another host "
        "warns: it shows the credentials to the network.",
    )
    name: Name = Field(
        default="",
        validate_default=True,
        json_schema_extra={"default": "host name of `url`"},
        description="Value of the label `server`; no two servers may share one. Renaming starts new series. "
        "Empty counts as unset.",
    )
    username: Username | None = Field(
        default=None,
        description="Basic authentication: an account's name or, up to Stalwart v0.15, an API key's.",
    )
    password: Password | None = Field(
        default=None, description="Its password or secret; better kept out of this file with `password_file`."
    )
    password_file: SecretFile | None = Field(
        default=None, description="File that holds the password on one line. Read at start and at each reload."
    )
    token: Token | None = Field(
        default=None,
        description="Bearer authentication: an API key or an OAuth token; better kept out of this file with "
        "`token_file`.",
    )
    token_file: SecretFile | None = Field(
        default=None, description="File that holds the token on one line. Read at start and at each reload."
    )
    native_username: Username | None = Field(
        default=None,
        description="Login of the server's own Prometheus page, which has one of its own. Unset: the page is not "
        "asked. A community server gives its counters nowhere else.",
    )
    native_password: Password | None = Field(default=None, description="Its password.")
    native_password_file: SecretFile | None = Field(
        default=None, description="File that holds that password on one line."
    )
    count_own_requests: bool = Field(
        default=False,
        description="Count the server's log lines about this exporter's own requests in "
        "`stalwart_log_entries_total`; off, because they would drown the others.",
    )
    ask_version: bool = Field(
        default=False,
        description="Ask a server up to v0.15 for its exact version (`POST /api/oauth`); off, "
        "because the key then needs the permission `authenticate-oauth`, with which login codes can be issued.",
    )
    max_queue_messages: Count = Field(
        default=100_000,
        ge=0,
        json_schema_extra={"unit": "messages"},
        description="Where a walk over the queue stops, with `stalwart_queue_truncated` at 1: each page costs the "
        "server time. 0: no limit.",
    )
    max_domains: Count = Field(
        default=25,
        ge=0,
        le=10_000,
        json_schema_extra={"unit": "label values"},
        description="Domains, and reporters, that get series of their own in each family; the rest is summed as "
        "`other`, so that strangers cannot create series without end. 0: the label is off.",
    )
    max_requests_per_minute: Count = Field(
        default=55,
        ge=5,
        le=10_000,
        json_schema_extra={"unit": "requests per minute"},
        description=f"Most requests to this server in any minute, backfill included. Below {REMOTE_REQUEST_LIMIT} "
        "unless its host is loopback: Stalwart allows an address 100 a minute that it counts as anonymous, among them "
        "requests with a token.",
    )
    request_timeout: Deadline = Field(
        default=30.0, description="For one request as a whole; it bounds how long a hung server holds a poll."
    )
    connect_timeout: Deadline = Field(default=5.0, description="For TCP and TLS to be set up.")
    read_timeout: Deadline = Field(default=10.0, description="Longest silence within an answer.")
    max_body_bytes: Annotated[Size, Field(ge=64 * KIB, le=GIB)] = Field(
        default=64 * MIB,
        description="Answers that are larger are not read further, so that a server cannot fill this process's memory.",
    )
    intervals: IntervalSettings = Field(default_factory=IntervalSettings)
    streams: StreamSettings = Field(default_factory=StreamSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)

    @property
    def host(self) -> str:
        """The host of `url`; IPv6 without brackets."""
        return host_of(self.url)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, by the host's name or address alone."""
        return is_loopback(self.host)

    @property
    def credentials(self) -> BasicLogin | BearerToken:
        """What to present to the management API; secrets from files are in it."""
        if self.token is not None:
            return BearerToken(self.token)
        if self.username is not None and self.password is not None:
            return BasicLogin(self.username, self.password)
        raise AssertionError("validation lets no server through without credentials")

    @property
    def native_credentials(self) -> BasicLogin | None:
        """What to present to the server's own metrics page; ``None``: do not ask it."""
        if self.native_username is None or self.native_password is None:
            return None
        return BasicLogin(self.native_username, self.native_password)

    @field_validator("name", mode="after")
    @classmethod
    def _default_name(cls, name: str, info: ValidationInfo) -> str:
        if name or "url" not in info.data:
            return name
        host = host_of(info.data["url"])
        if len(host) > MAX_NAME_LENGTH:
            raise ValueError(f"the host name of url is longer than {MAX_NAME_LENGTH} characters and cannot be the name")
        return host

    @field_validator("max_requests_per_minute", mode="after")
    @classmethod
    def _spare_remote_servers(cls, limit: int, info: ValidationInfo) -> int:
        url = info.data.get("url")
        if url is not None and limit >= REMOTE_REQUEST_LIMIT and not is_loopback(host_of(url)):
            raise ValueError(f"must be below {REMOTE_REQUEST_LIMIT} for a host that is not loopback")
        return limit

    @field_validator("intervals", mode="after")
    @classmethod
    def _fit_the_budget(cls, intervals: IntervalSettings, info: ValidationInfo) -> IntervalSettings:
        """What every server is asked for, one request each time, has to fit into `max_requests_per_minute`."""
        limit = info.data.get("max_requests_per_minute")
        every = [intervals.queue, intervals.logs, intervals.reports, intervals.outgoing]
        if info.data.get("native_username") is not None:
            every.append(intervals.native)
        needed = sum(MINUTE / seconds for seconds in every)
        if limit is not None and needed > limit:
            raise ValueError(
                f"take at least {needed:.0f} requests per minute, and max_requests_per_minute allows {limit}; "
                "make them longer"
            )
        return intervals

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        filled, unread = with_secrets_read(data, ("password", "token", "native_password"))
        return validate_with(filled, handler, [*credential_problems(data), *(((key,), text) for key, text in unread)])
