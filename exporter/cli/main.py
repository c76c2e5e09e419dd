"""The commands."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter import __version__
from exporter.app.service.become import become_daemon
from exporter.cli.accounts.command import accounts_app
from exporter.cli.config.flags import Flags, apply_flags
from exporter.cli.config.switches import HELP_NAMES, finite, without_values
from exporter.cli.domains.command import domains_app
from exporter.cli.history.sharing import with_options
from exporter.cli.queue.command import queue_app
from exporter.cli.reports.command import reports_app
from exporter.cli.trail.command import trail_app
from exporter.cli.trail.senders.command import senders_app
from exporter.cli.why.command import why

KEY_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
WEBHOOK_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
DEFAULT_CONFIG = Path("/etc/stalwart-exporter/config.toml")

app = typer.Typer(
    name="stalwart-exporter",
    help="Monitoring daemon and Prometheus exporter for the Stalwart mail server.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_NAMES},
)
for commands in (queue_app, reports_app, senders_app, domains_app, accounts_app, trail_app):
    app.add_typer(commands)
app.command()(why)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", "--config.file", help=f"Configuration file (TOML). Default: {DEFAULT_CONFIG}, if it exists."
    ),
]
WebConfig = Annotated[
    Path | None,
    typer.Option(
        "--web.config.file", help="TLS, client certificates and basic auth, in exporter-toolkit's format (YAML)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback(invoke_without_command=True)
@with_options(Flags)
def default(
    *,
    context: typer.Context,
    config: Config = None,
    web_config: WebConfig = None,
    given: Any,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
) -> None:
    """Without a command, run the exporter as `run` does. Options may precede or follow the command."""
    if version:
        typer.echo(f"stalwart-exporter {__version__}")
        raise typer.Exit
    apply_flags(given, os.environ)
    if context.invoked_subcommand is None:
        become_daemon(config=config, web_config=web_config)
    files = {"config": config, "web_config": web_config}
    context.default_map = _for_commands(context.command, {name: path for name, path in files.items() if path})


def _for_commands(command: Any, given: dict[str, Path]) -> dict[str, Any]:
    """Return *given* as the default options of every command below *command*."""
    inner = getattr(command, "commands", None)
    return dict(given) if inner is None else {name: _for_commands(below, given) for name, below in inner.items()}


@app.command()
@with_options(Flags)
def run(*, config: Config = None, web_config: WebConfig = None, given: Any) -> None:
    """
    Watch the configured servers and serve /metrics. The default command.

    A single server can be configured by environment variables: STALWART_EXPORTER_URL, _USERNAME and _PASSWORD_FILE.
    SIGHUP reloads the configuration, SIGTERM stops the exporter. Exit status: 0 stopped on request, 1 the port or the
    history file cannot be used, 2 the configuration is invalid.
    """
    apply_flags(given, os.environ)
    become_daemon(config=config, web_config=web_config)


@app.command()
@with_options(Flags)
def healthcheck(
    *,
    config: Config = None,
    web_config: WebConfig = None,
    given: Any,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, callback=finite, help="Seconds to wait for the response.")
    ] = 4.0,
) -> None:
    """
    Check whether the running exporter is healthy, for container health checks and probes.

    Takes the address from the options and the environment of `run`. Needs neither a password nor a client certificate,
    even if `--web.config.file` requires them. Exit status: 0 healthy, 1 not healthy, 2 the address is invalid.
    """
    from exporter.cli.healthcheck import healthcheck as ask

    apply_flags(given, os.environ)
    raise typer.Exit(ask(config, web_config, timeout_seconds=timeout))


@app.command()
def demo(
    listen: Annotated[str, typer.Option(help="Where to serve the exporter: HOST:PORT.")] = "127.0.0.1:9787",
    speed: Annotated[
        float,
        typer.Option(
            min=0.01, max=1_440, callback=finite, help="Speed relative to real time; 288 plays a day in five minutes."
        ),
    ] = 288.0,
    edition: Annotated[
        str, typer.Option(help="Edition of the simulated server: community or enterprise.")
    ] = "enterprise",
    generation: Annotated[
        str, typer.Option(help="Management API of the simulated server: rest (v0.15) or jmap (v0.16).")
    ] = "rest",
    seed: Annotated[int, typer.Option(help="The same seed plays the same day.")] = 7,
) -> None:
    """
    Watch a simulated server through a scripted day: backlog, a failing destination, recovery, a paused queue.

    Needs no Stalwart server. Stop it with Ctrl-C.
    """
    from exporter.cli.demo.playing import run_demo

    raise typer.Exit(run_demo(listen=listen, speed=speed, edition=edition, generation=generation, seed=seed))


@app.command("check-config")
@with_options(Flags)
def check_config(*, config: Config = None, web_config: WebConfig = None, given: Any, as_json: AsJson = False) -> None:
    """
    Check the configuration as `run` does, and print every problem with its path.

    Also checks what it refers to: the web configuration, certificates and the directory of the history file. Exit
    status: 0 valid, 2 invalid.
    """
    from exporter.cli.config.check import check

    apply_flags(given, os.environ)
    raise typer.Exit(check(config, web_config, as_json=as_json))


@app.command()
def doctor(
    config: Config = None,
    server: Annotated[str | None, typer.Option(help="Only the server of this name.")] = None,
    listen: Annotated[
        float,
        typer.Option(
            min=0,
            max=3600,
            callback=finite,
            help="Seconds to listen for deliveries on the live streams; 0: do not listen.",
        ),
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """
    Query each server once and report its version, capabilities, missing permissions and how to grant them.

    Warns about a key that can change the server, and checks the first domains in DNS, which does not affect the exit
    status. Exit status: 0 no problem found, 1 a server failed in whole or part,
    did not respond or refused the credentials, 2 the configuration is invalid, 3 permissions are missing.
    """
    from exporter.cli.doctor.command import examine

    raise typer.Exit(examine(config, only=server, as_json=as_json, listen_seconds=listen))


@app.command()
def webhook(
    generation: Annotated[
        str, typer.Option(help="Management API of the server: rest (up to v0.15) or jmap (v0.16 and newer).")
    ],
    config: Config = None,
    server: Annotated[str | None, typer.Option(help="Name of the server. Default: the first with a webhook.")] = None,
    url: Annotated[
        str | None, typer.Option(help="URL of the receiver as the server reaches it. Default: from the configuration.")
    ] = None,
    name: Annotated[str, typer.Option(help="Id of the webhook in the server.")] = "exporter",
    show_key: Annotated[
        bool, typer.Option("--show-key", help="Print the signature key instead of a placeholder.")
    ] = False,
) -> None:
    """
    Print the server's webhook settings, ready to paste, with the exact list of events.

    Patterns would post passwords and whole messages, so the list has none. Needs `[servers.webhook]` in the
    configuration. Changes nothing. Exit status: 0 printed, 2 the configuration or an option is invalid.
    """
    from exporter.cli.webhook.command import print_settings

    if generation not in ("rest", "jmap"):
        raise typer.BadParameter("must be rest or jmap", param_hint="--generation")
    if not WEBHOOK_NAME.fullmatch(name):
        raise typer.BadParameter("must be letters, digits and hyphens", param_hint="--name")
    status = print_settings(config, generation=generation, only=server, url=url, name=name, show_key=show_key)
    raise typer.Exit(status)


@app.command()
def init(
    to: Annotated[Path, typer.Option("--to", help="Directory for the configuration and the secret.")] = (
        DEFAULT_CONFIG.parent
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing configuration.")] = False,
) -> None:
    """
    Ask for a server, its key and a file for the history, try them, and write the configuration.

    Nothing is written if the server cannot be asked or refuses the key. Exit status: 0 written, 1 the server cannot be
    asked or a file cannot be written, 2 an answer is invalid or a configuration exists.
    """
    from exporter.cli.config.init import set_up

    raise typer.Exit(set_up(to, force=force))


@app.command()
def key(
    generation: Annotated[
        str, typer.Option(help="Management API of the server: rest (up to v0.15) or jmap (v0.16 and newer).")
    ],
    url: Annotated[str, typer.Option(help="The server's URL.")] = "https://mail.example.org",
    name: Annotated[str, typer.Option(help="Name of the key, and of the file with its secret.")] = "exporter",
    admin: Annotated[str, typer.Option(help="Name of the administrator who creates it.")] = "admin",
    with_accounts: Annotated[
        bool,
        typer.Option("--with-accounts", help="Up to v0.15: also list accounts. The key can then read password hashes."),
    ] = False,
    with_settings: Annotated[
        bool, typer.Option("--with-settings", help="From v0.16 on: also read settings, which can contain tokens.")
    ] = False,
) -> None:
    """
    Print a script that creates a key for the exporter, with the fewest permissions.

    Such a key reads what is exported, and changes nothing. Exit status: 0 printed, 2 an option is invalid.
    """
    from exporter.cli.config.key import print_script
    from exporter.settings.addresses import parse_server_url

    if generation not in ("rest", "jmap"):
        raise typer.BadParameter("must be rest or jmap", param_hint="--generation")
    if not KEY_NAME.fullmatch(name):
        raise typer.BadParameter("must be lower-case letters, digits and hyphens", param_hint="--name")
    try:
        server = parse_server_url(url)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; accepted: https://HOST or https://HOST:PORT", param_hint="--url") from None
    raise typer.Exit(
        print_script(generation, url=server, name=name, admin=admin, accounts=with_accounts, settings=with_settings)
    )


@app.command()
def assets(
    to: Annotated[Path, typer.Option("--to", help="Directory to write to; created if it is missing.")],
) -> None:
    """
    Write out the alert rules, dashboards, runbooks, units, manifests and the manual page that come with the exporter.

    Files of the same names are replaced. Exit status: 0 written, 1 the directory cannot be written.
    """
    from exporter.cli.config.assets import write_assets

    raise typer.Exit(write_assets(to))


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """List every metric family with its type and labels."""
    from exporter.cli.metrics import list_metrics

    list_metrics(as_json=as_json)


def main() -> None:
    """Run the command line."""
    without_values(typer.main.get_command(app))()
