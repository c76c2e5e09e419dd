"""The settings as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from exporter.settings.checks import CheckSettings
from exporter.settings.credentials.webhook import webhook_path_problems
from exporter.settings.section import Section
from exporter.settings.servers.server import ServerSettings
from exporter.settings.types import Duration, FilePath, Listen, Size
from exporter.settings.validation.rules import server_list_problems, validate_with
from exporter.settings.web import WebSettings
from exporter.units import DAY, GIB, MIB


class StoreSettings(Section):
    """The history of reports and the tallies behind the counters, in SQLite."""

    path: FilePath = Field(
        default=Path("/var/lib/stalwart-exporter/history.sqlite3"),
        description="The database file, readable only by its owner. Its directory must be writable and is "
        "created if missing. Two daemons cannot share a file, even under different names.",
    )
    retention: Annotated[Duration, Field(ge=DAY, le=36_500 * DAY)] = Field(
        default=400 * DAY,
        description="How long to keep reports. The default is more than a year, so that years can be compared.",
    )


class TrailSettings(Section):
    """The trail: what happened to each message and each refused session, kept in the history."""

    enabled: bool = Field(
        default=True,
        description="Whether the trail is kept. Without it, `why`, `trail` and `senders` have nothing to show.",
    )
    keep: Annotated[Duration, Field(ge=3600.0, le=3650 * DAY)] = Field(
        default=14 * DAY, description="How long to keep it."
    )
    max_size: Annotated[Size, Field(ge=16 * MIB)] = Field(
        default=GIB,
        description="Size that it may take up in the history; beyond it, the oldest goes first, even if it is younger "
        "than `keep`. A message takes about 1 KiB.",
    )
    addresses: Literal["full", "hashed", "domain"] = Field(
        default="full",
        description="How much of an address is stored: `full`; `hashed`, a keyed hash by which an exact address can "
        "still be found, beside the readable domain; `domain`, only the domain.",
    )


class LogSettings(Section):
    """The exporter's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Lowest level that is logged. `info` logs changes, not every poll.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto` means `console` on a terminal and `json` elsewhere."
    )


class WebhooksSettings(Section):
    """The receiver of webhook posts; it runs if a server has a `webhook`."""

    listen: Listen | None = Field(
        default=None,
        description="Address to receive webhook posts on, without TLS: use loopback or a network of your own, or a "
        "proxy with TLS in front. If unset, posts are received on the address of `[web]`, without its login: their "
        "signature is checked instead.",
    )
    max_body: Annotated[Size, Field(ge=MIB, le=GIB)] = Field(
        default=256 * MIB,
        description="Largest body of a post. After an interruption, a server posts everything at once, 50 MB and more; "
        "it repeats a post that is refused until its events are too old.",
    )
    max_backlog: Annotated[Size, Field(ge=MIB, le=1024 * GIB)] = Field(
        default=GIB,
        description="Disk space for posts that are not yet counted, per server. Beyond it, posts are answered with "
        "503, so that the server keeps them.",
    )


class DiscoverySettings(Section):
    """Servers in files of their own, beside those of this file."""

    directory: FilePath | None = Field(
        default=None,
        description="A directory whose files `*.toml` have `[[servers]]` and nothing else. They are read in the order "
        "of their names, and again within seconds of a change, which interrupts only the servers that have changed.",
    )


class Settings(Section):
    """
    All settings. Two are equal if nothing differs, including secrets, certificates and warnings.

    Attributes:
        servers: In the file's order; at least one, with unique names.
    """

    web: WebSettings = Field(default_factory=WebSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    trail: TrailSettings = Field(default_factory=TrailSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    webhooks: WebhooksSettings = Field(default_factory=WebhooksSettings)
    checks: CheckSettings = Field(default_factory=CheckSettings)
    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    servers: tuple[ServerSettings, ...] = ()

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Risky settings, one line each with the path of the setting; filled by `load_settings`."""
        return self._warnings

    @model_validator(mode="wrap")
    @classmethod
    def _check_servers(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        servers = data.get("servers", ())
        found = [*server_list_problems(servers), *webhook_path_problems(servers)]
        # Report a table in place of the array once, with our message.
        known = {**data, "servers": ()} if isinstance(data.get("servers"), Mapping) else data
        return validate_with(known, handler, found)
