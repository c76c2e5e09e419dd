"""The settings as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from exporter.settings.addresses import ListenAddress
from exporter.settings.rules import server_list_problems, validate_with
from exporter.settings.section import Section
from exporter.settings.server import ServerSettings
from exporter.settings.types import Duration, FilePath, Listen, ReadableFile
from exporter.settings.units import DAY


class WebSettings(Section):
    """The HTTP port that Prometheus and people ask."""

    listen: Listen = Field(
        default=ListenAddress("127.0.0.1", 9787),
        description="Where to listen. Loopback, because the status page names servers, domains and errors: open it "
        "to others together with `config_file`.",
    )
    config_file: ReadableFile | None = Field(
        default=None,
        description="TLS, client certificates and basic authentication, in the format of exporter-toolkit's "
        "`--web.config.file`.",
    )
    enable_reload: bool = Field(
        default=False,
        description="Whether `POST /-/reload` applies a changed file, as SIGHUP does; off, because whoever reaches "
        "the port could trigger it.",
    )
    status_page: bool = Field(
        default=True, description="Whether `/` shows the state of servers and collectors to people."
    )
    thresholds_file: ReadableFile | None = Field(
        default=None,
        description="The `thresholds.json` of your own rules, by which the status page then judges; else by the "
        "shipped thresholds.",
    )


class StoreSettings(Section):
    """The history of reports, and the tallies behind the counters, in SQLite."""

    path: FilePath = Field(
        default=Path("/var/lib/stalwart-exporter/history.sqlite3"),
        description="The database file, readable by its owner alone. Its directory must be writable, and is created if "
        "it does not exist; two daemons never share one file, under whatever names.",
    )
    retention: Annotated[Duration, Field(ge=DAY, le=36_500 * DAY)] = Field(
        default=400 * DAY, description="How long reports are kept: more than a year, so that years can be compared."
    )


class LogSettings(Section):
    """What this program says about itself, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least severity that is written. `info` has a line for each change and none per quiet poll.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto` is `console` on a terminal and `json` elsewhere."
    )


class Settings(Section):
    """
    Everything that can be set. Two are equal if nothing differs: secrets, certificates and warnings included.

    Attributes:
        servers: In the file's order, at least one, no name twice.
    """

    web: WebSettings = Field(default_factory=WebSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    servers: tuple[ServerSettings, ...] = ()

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and unwise, one line each with the path of the setting; filled by `load_settings`."""
        return self._warnings

    @model_validator(mode="wrap")
    @classmethod
    def _check_servers(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        found = [*server_list_problems(data.get("servers", ()))]
        # A table in place of the array is told once, in our words.
        known = {**data, "servers": ()} if isinstance(data.get("servers"), Mapping) else data
        return validate_with(known, handler, found)
