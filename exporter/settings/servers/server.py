"""The settings of one watched server."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationInfo, field_validator, model_validator

from exporter.settings.addresses import host_of, is_loopback
from exporter.settings.checks import OwnCheckSettings
from exporter.settings.credentials.login import BasicLogin, BearerToken
from exporter.settings.credentials.operator import OperatorSettings
from exporter.settings.credentials.secret import with_secrets_read
from exporter.settings.credentials.webhook import WebhookSettings
from exporter.settings.files import CERTIFICATES_LIMIT_BYTES, read_bounded
from exporter.settings.section import Section
from exporter.settings.servers.collectors import CollectorSettings
from exporter.settings.servers.intervals import IntervalSettings
from exporter.settings.servers.probes import ProbeSettings
from exporter.settings.servers.relay import RelaySettings
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
from exporter.settings.validation.rules import credential_problems, tls_problems, validate_with
from exporter.units import GIB, KIB, MIB, MINUTE

REMOTE_REQUEST_LIMIT = 60
"""Requests per minute to a remote server stay below this: Stalwart allows 100 per address it considers anonymous."""

Deadline = Annotated[Duration, Field(ge=0.1, le=10 * MINUTE)]


class StreamSettings(Section):
    """The live streams of metrics and traces (Enterprise edition)."""

    transport: Literal["auto", "websocket", "sse", "off"] = Field(
        default="auto",
        description="`auto` requests a WebSocket and accepts Server-Sent Events, the only transport from "
        "v0.16 on. `websocket` and `sse` force one of them; with `websocket`, servers from "
        "v0.16 on have no streams, which is logged. `off` opens no stream: metrics come from "
        "polls only.",
    )


class TlsSettings(Section):
    """Verification of the server's certificate, and the client certificate."""

    ca_file: CertificatesFile | None = Field(
        default=None,
        description="Certificate authorities (PEM) to trust instead of the system trust store, for a "
        "private CA or a self-signed certificate.",
    )
    insecure_skip_verify: bool = Field(
        default=False,
        description="Accept any certificate. Anyone on the network path can then read the credentials: "
        "prefer `ca_file`. Logs a warning.",
    )
    cert_file: CertificatesFile | None = Field(
        default=None, description="Client certificate (PEM), if a proxy in front of the server requires one."
    )
    key_file: PrivateKeyFile | None = Field(
        default=None, description="Private key for `cert_file` (PEM, not encrypted), unless that file contains it."
    )

    _digest: bytes = PrivateAttr(default=b"")

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return validate_with(data, handler, [*tls_problems(data)] if isinstance(data, Mapping) else [])

    @model_validator(mode="after")
    def _remember_contents(self) -> Self:
        """Make settings differ after a file was renewed under the same name, so that a reload applies it."""
        paths = [path for path in (self.ca_file, self.cert_file, self.key_file) if path is not None]
        contents = [sha256(read_bounded(path, CERTIFICATES_LIMIT_BYTES)).digest() for path in paths]
        self._digest = b"".join(contents)
        return self


class ServerSettings(Section):
    """
    One Stalwart server. It needs exactly one kind of credentials: `username` with `password` or `password_file`, or
    `token` or `token_file`.
    """

    url: ServerUrl = Field(
        description="URL of the management API, such as `https://mx1.example.org`. Plain http to another "
        "host logs a warning, since it exposes the credentials to the network.",
    )
    name: Name = Field(
        default="",
        validate_default=True,
        json_schema_extra={"default": "host name of `url`"},
        description="Value of the label `server`, unique among the servers. Renaming a server starts new "
        "series. Empty means unset.",
    )
    username: Username | None = Field(
        default=None,
        description="Basic authentication: name of an account or, up to Stalwart v0.15, of an API key.",
    )
    password: Password | None = Field(
        default=None, description="Password, or secret of the API key. Use `password_file` to keep it out of this file."
    )
    password_file: SecretFile | None = Field(
        default=None, description="File with the password on one line, read at start and at each reload."
    )
    token: Token | None = Field(
        default=None,
        description="Bearer authentication: an API key or an OAuth token. Use `token_file` to keep it out "
        "of this file.",
    )
    token_file: SecretFile | None = Field(
        default=None, description="File with the token on one line, read at start and at each reload."
    )
    native_username: Username | None = Field(
        default=None,
        description="User name for the server's own Prometheus page, which has a separate login. If "
        "unset, the page is not polled. It is the only source of counters on a community "
        "server.",
    )
    native_password: Password | None = Field(default=None, description="Password for the server's own Prometheus page.")
    native_password_file: SecretFile | None = Field(
        default=None, description="File with that password on one line, read at start and at each reload."
    )
    count_own_requests: bool = Field(
        default=False,
        description="Whether `stalwart_log_entries_total` includes log lines about the exporter's own "
        "requests. Off by default, since they would drown out the others.",
    )
    ask_version: bool = Field(
        default=False,
        description="Whether to ask servers up to v0.15 for their exact version (`POST /api/oauth`). Off "
        "by default, since the key then needs the permission `authenticate-oauth`, which "
        "allows issuing login codes.",
    )
    max_queue_messages: Count = Field(
        default=100_000,
        ge=0,
        json_schema_extra={"unit": "messages"},
        description="Maximum number of queued messages to read per poll, to limit the load on the server. "
        "Beyond it, `stalwart_queue_truncated` is 1. 0: no limit.",
    )
    max_domains: Count = Field(
        default=25,
        ge=0,
        le=10_000,
        json_schema_extra={"unit": "label values"},
        description="Maximum number of domains, and of reporters, with series of their own per family. "
        "The rest are summed as `other`, so that outsiders cannot create unlimited series. 0 "
        "disables the label.",
    )
    max_requests_per_minute: Count = Field(
        default=55,
        ge=5,
        le=10_000,
        json_schema_extra={"unit": "requests per minute"},
        description=f"Maximum number of requests to this server in any minute, including the backfill. Must be below "
        f"{REMOTE_REQUEST_LIMIT} unless the host is loopback: Stalwart allows 100 anonymous requests per minute and "
        "address, and counts requests with a token among them.",
    )
    request_timeout: Deadline = Field(
        default=30.0, description="Deadline for a whole request. Bounds how long a hung server blocks a poll."
    )
    connect_timeout: Deadline = Field(default=5.0, description="Deadline for the TCP connection and the TLS handshake.")
    read_timeout: Deadline = Field(default=10.0, description="Longest pause within a response.")
    max_body_bytes: Annotated[Size, Field(ge=64 * KIB, le=GIB)] = Field(
        default=64 * MIB,
        description="Largest response body to read, so that a server cannot fill the exporter's memory.",
    )
    intervals: IntervalSettings = Field(default_factory=IntervalSettings)
    collectors: CollectorSettings = Field(default_factory=CollectorSettings)
    streams: StreamSettings = Field(default_factory=StreamSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    relay: RelaySettings = Field(default_factory=RelaySettings)
    checks: OwnCheckSettings = Field(default_factory=OwnCheckSettings)
    probes: ProbeSettings = Field(default_factory=ProbeSettings)
    operator: OperatorSettings = Field(default_factory=OperatorSettings)

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
        """The login for the management API, with secrets read from files."""
        if self.token is not None:
            return BearerToken(self.token)
        if self.username is not None and self.password is not None:
            return BasicLogin(self.username, self.password)
        raise AssertionError("validation lets no server through without credentials")

    @property
    def native_credentials(self) -> BasicLogin | None:
        """The login for the server's own metrics page; ``None`` disables its collector."""
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
        """Require that the polls of every server fit into `max_requests_per_minute`, at one request each."""
        limit = info.data.get("max_requests_per_minute")
        every = [intervals.queue, intervals.logs, intervals.reports, intervals.outgoing]
        if info.data.get("native_username") is not None:
            every.append(intervals.native)
        needed = sum(MINUTE / seconds for seconds in every)
        if limit is not None and needed > limit:
            raise ValueError(
                f"need at least {needed:.0f} requests per minute, but max_requests_per_minute allows {limit}; "
                "lengthen them"
            )
        return intervals

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        filled, unread = with_secrets_read(data, ("password", "token", "native_password"))
        return validate_with(filled, handler, [*credential_problems(data), *(((key,), text) for key, text in unread)])
