"""The settings of the HTTP server for Prometheus and browsers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator

from exporter.domains import domain_name
from exporter.settings.addresses import ListenAddress, parse_listens
from exporter.settings.section import Section
from exporter.settings.types import Accepts, ReadableFile, parse_list, show_list

PAGE_PATHS = ("/servers", "/reports", "/mail", "/domains", "/alerts")
"""The paths below which pages are served."""

_TELEMETRY_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64}){1,8}")


def _check_telemetry_path(path: str) -> str:
    if not _TELEMETRY_PATH.fullmatch(path):
        raise ValueError("not a path of letters, digits and -._~/ that begins with a slash and does not end with one")
    if path.startswith(("/-", *PAGE_PATHS)):
        raise ValueError("the exporter serves a page of its own there")
    return path


def _tenant_logins(value: object) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for entry in parse_list(value):
        login, sign, text = str(entry).rpartition("=")
        domain = domain_name(text.strip())
        if not login.strip() or not sign or domain is None:
            raise ValueError("an entry is not LOGIN=DOMAIN")
        if login.strip() in found:
            raise ValueError("a login has two entries")
        found[login.strip()] = domain
    return tuple(f"{login}={domain}" for login, domain in found.items())


def _one_or_more(values: tuple[ListenAddress, ...]) -> str | list[str]:
    """Return a single value without its array."""
    return str(values[0]) if len(values) == 1 else [str(value) for value in values]


def _show_one_or_more(values: Any) -> str:
    return (
        json.dumps(str(values[0]))
        if len(values) == 1
        else "[" + ", ".join(json.dumps(str(value)) for value in values) + "]"
    )


Listens: TypeAlias = Annotated[
    tuple[ListenAddress, ...],
    PlainValidator(parse_listens),
    PlainSerializer(_one_or_more),
    Accepts(
        "address or array of addresses",
        "HOST:PORT, such as 127.0.0.1:9787, [::1]:9787 or 0.0.0.0:9787, or an array of them; port 0 selects a free one",
        show=_show_one_or_more,
        bare=True,
    ),
]
TelemetryPath: TypeAlias = Annotated[
    str,
    AfterValidator(_check_telemetry_path),
    Accepts("path", "the path of a URL, such as /metrics"),
]


TenantLogins: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(_tenant_logins),
    PlainSerializer(list, return_type=list[str]),
    Accepts("array of logins", 'an array of LOGIN=DOMAIN, such as ["alice=example.org"]', show=show_list, bare=True),
]


class WebSettings(Section):
    """The HTTP server for Prometheus and browsers."""

    listen: Listens = Field(
        default=(ListenAddress("127.0.0.1", 9787),),
        description="Address to listen on, or an array of them. Loopback by default, since the pages show servers, "
        "domains and errors: set `config_file` before you open it to others.",
    )
    systemd_socket: bool = Field(
        default=False,
        description="Whether to listen on the sockets that systemd passes (a `.socket` unit) instead of `listen`.",
    )
    telemetry_path: TelemetryPath = Field(default="/metrics", description="The path of the metrics.")
    config_file: ReadableFile | None = Field(
        default=None,
        description="TLS, client certificates and basic authentication, in the format of exporter-toolkit's "
        "`--web.config.file`.",
    )
    without_login: Literal["nothing", "health", "metrics", "health_and_metrics"] = Field(
        default="nothing",
        description="What needs no login although `config_file` has `basic_auth_users`: `health` is `/-/healthy` and "
        "`/-/ready`, `metrics` is `/metrics`. The pages always need one.",
    )
    tenant_logins: TenantLogins = Field(
        default=(),
        description="Logins of `config_file` that see the mail of one domain on `/mail`, as `--only-domain` shows it, "
        "and no other page: for a tenant's administrator. All other logins see everything.",
    )
    enable_reload: bool = Field(
        default=False,
        description="Whether `POST /-/reload` applies a changed file, as SIGHUP does. Off by default, "
        "since anyone who can reach the port could trigger it.",
    )
    status_page: bool = Field(default=True, description="Whether to serve the HTML pages at `/`.")
    thresholds_file: ReadableFile | None = Field(
        default=None,
        description="The `thresholds.json` of your own rules, which the pages use instead of the shipped thresholds.",
    )

    @property
    def tenants(self) -> Mapping[str, str]:
        """The domain of each login in `tenant_logins`."""
        return {login: domain for login, _, domain in (entry.rpartition("=") for entry in self.tenant_logins)}
