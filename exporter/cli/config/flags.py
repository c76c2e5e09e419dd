"""
The options of the exporter itself, named as those of other exporters are.

They override the configuration file and the environment. Every command reads them as environment variables, so that
`run`, `check-config` and `healthcheck` understand them alike.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import field, make_dataclass
from typing import Annotated, Any, Literal

import typer

# Nothing of the settings is imported: `run` starts another process, which reads them.
COLLECTORS = (
    "queue",
    "failed",
    "metrics",
    "native",
    "logs",
    "traces",
    "reports",
    "outgoing",
    "inventory",
    "accounts",
    "senders",
)
NO_COLLECTORS = "STALWART_EXPORTER_NO_COLLECTORS"

VARIABLES = {
    "listen": ("STALWART_EXPORTER_WEB__LISTEN", "STALWART_EXPORTER_LISTEN"),
    "systemd_socket": ("STALWART_EXPORTER_WEB__SYSTEMD_SOCKET",),
    "telemetry_path": ("STALWART_EXPORTER_WEB__TELEMETRY_PATH",),
    "log_level": ("STALWART_EXPORTER_LOG__LEVEL", "STALWART_EXPORTER_LOG_LEVEL"),
    "log_format": ("STALWART_EXPORTER_LOG__FORMAT",),
}
"""The variable of each option, and the shorter one that it replaces."""


def _listen(values: list[str] | None) -> list[str] | None:
    """Accept ``:9787`` for every interface, as other exporters do."""
    from exporter.settings.addresses import parse_listens

    given = [f"[::]{value}" if value.startswith(":") else value for value in values or []]
    try:
        return [str(address) for address in parse_listens(given)] if given else None
    except ValueError as error:
        raise typer.BadParameter(f"{error}; accepted: HOST:PORT, such as 127.0.0.1:9787, [::1]:9787 or :9787") from None


_SWITCHES = [
    (
        f"no_{name}",
        Annotated[
            bool,
            typer.Option(
                f"--no-collector.{name}", rich_help_panel="Collectors", help=f"Do not run the collector {name}."
            ),
        ],
        field(default=False),
    )
    for name in COLLECTORS
]

Flags: Any = make_dataclass(
    "Flags",
    [
        (
            "listen",
            Annotated[
                list[str] | None,
                typer.Option(
                    "--web.listen-address",
                    metavar="HOST:PORT",
                    callback=_listen,
                    help="Address to listen on; may be repeated. Default: 127.0.0.1:9787.",
                ),
            ],
            field(default=None),
        ),
        (
            "systemd_socket",
            Annotated[
                bool,
                typer.Option("--web.systemd-socket", help="Listen on the sockets that systemd passes."),
            ],
            field(default=False),
        ),
        (
            "telemetry_path",
            Annotated[
                str | None,
                typer.Option("--web.telemetry-path", metavar="PATH", help="Path of the metrics. Default: /metrics."),
            ],
            field(default=None),
        ),
        (
            "log_level",
            Annotated[
                Literal["debug", "info", "warning", "error"] | None,
                typer.Option("--log.level", help="Lowest level that is logged. Default: info."),
            ],
            field(default=None),
        ),
        (
            "log_format",
            Annotated[
                Literal["auto", "json", "console"] | None,
                typer.Option("--log.format", help="Format of the log. Default: console on a terminal, else json."),
            ],
            field(default=None),
        ),
        *_SWITCHES,
    ],
    frozen=True,
    kw_only=True,
)
"""What was given on the command line."""


def apply_flags(given: Any, environ: MutableMapping[str, str]) -> None:
    """Set the variables of the `Flags` that were *given*."""
    values = {
        "listen": ",".join(given.listen or ()),
        "systemd_socket": "true" if given.systemd_socket else "",
        "telemetry_path": given.telemetry_path or "",
        "log_level": given.log_level or "",
        "log_format": given.log_format or "",
    }
    for option, value in values.items():
        name, *others = VARIABLES[option]
        if value:
            environ[name] = value
            for other in others:
                environ.pop(other, None)
    if off := [name for name in COLLECTORS if getattr(given, f"no_{name}")]:
        environ[NO_COLLECTORS] = ",".join(dict.fromkeys([*environ.get(NO_COLLECTORS, "").split(","), *off])).strip(",")
