"""The commands."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from exporter import __version__
from exporter.cli.reports.command import reports_app

DEFAULT_CONFIG = Path("/etc/stalwart-exporter/config.toml")

app = typer.Typer(
    name="stalwart-exporter",
    help="Monitoring daemon and Prometheus exporter for the Stalwart mail server.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(reports_app)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter("must be a finite number")
    return value


Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"Configuration file (TOML). Default: {DEFAULT_CONFIG}, if it is there."),
]
WebConfig = Annotated[
    Path | None,
    typer.Option(
        "--web.config.file", help="TLS, client certificates and basic auth, in exporter-toolkit's format (YAML)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    config: Config = None,
    web_config: WebConfig = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Without a command the exporter runs, as with `run`. Options may stand before a command or after it."""
    if version:
        typer.echo(f"stalwart-exporter {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        run(config=config, web_config=web_config)
    given = {"config": config, "web_config": web_config}
    context.default_map = _for_commands(context.command, {name: path for name, path in given.items() if path})


def _for_commands(command: Any, given: dict[str, Path]) -> dict[str, Any]:
    """The options in *given* as defaults of every command below *command*."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return dict(given)
    return {name: _for_commands(below, given) for name, below in inner.items()}


@app.command()
def run(config: Config = None, web_config: WebConfig = None) -> None:
    """
    Watch the configured servers and serve /metrics. The default command.

    One server can be configured by environment variables alone: STALWART_EXPORTER_URL, _USERNAME and _PASSWORD_FILE.
    SIGHUP applies a changed configuration, SIGTERM ends. Exit status: 1 the port or the history file cannot be used,
    2 the configuration is wrong.
    """
    from exporter.app.process import become_daemon

    become_daemon(config=config, web_config=web_config)


@app.command()
def healthcheck(
    config: Config = None,
    web_config: WebConfig = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, callback=_finite, help="Seconds to wait for the answer.")
    ] = 4.0,
) -> None:
    """
    Ask the running exporter whether it is healthy, for container health checks and probes.

    Takes the options and the environment of `run`, finds the address in them, and needs neither the password nor a
    certificate that `--web.config.file` asks others for. Exit status: 1 not healthy, 2 the address is wrong.
    """
    from exporter.cli.healthcheck import healthcheck as ask

    raise typer.Exit(ask(config, web_config, timeout_seconds=timeout))


@app.command()
def demo(
    listen: Annotated[str, typer.Option(help="Where to serve the exporter: HOST:PORT.")] = "127.0.0.1:9787",
    speed: Annotated[
        float,
        typer.Option(
            min=0.01, max=1_440, callback=_finite, help="How much faster than life; 288 plays a day in five minutes."
        ),
    ] = 288.0,
    edition: Annotated[str, typer.Option(help="What the stand-in server is: community or enterprise.")] = "enterprise",
    seed: Annotated[int, typer.Option(help="The same seed plays the same day.")] = 7,
) -> None:
    """
    Watch a stand-in server through a scripted day: backlog, a failing destination, recovery, a paused queue.

    Needs nothing else. Ends with Ctrl-C.
    """
    from exporter.cli.demo import run_demo

    raise typer.Exit(run_demo(listen=listen, speed=speed, edition=edition, seed=seed))


@app.command("check-config")
def check_config(config: Config = None, web_config: WebConfig = None, as_json: AsJson = False) -> None:
    """
    Read the configuration as `run` would and print every problem with its path. Exit status 2 if there is one.

    Also reads what the configuration refers to: the web configuration, certificates and the place of the history.
    """
    from exporter.cli.check import check

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
            callback=_finite,
            help="Seconds to listen to the live streams, whether deliveries come; 0: not at all.",
        ),
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """
    Ask each server once and report what it is, what it offers, which permissions the key lacks and how to grant them.

    Warns about a key that can change the server. Exit status: 0 all well, 1 a server or a part of it fails, does not
    answer or refuses the credentials, 3 permissions are missing.
    """
    from exporter.cli.doctor.command import examine

    raise typer.Exit(examine(config, only=server, as_json=as_json, listen_seconds=listen))


@app.command()
def metrics(as_json: AsJson = False) -> None:
    """List every metric family with its type and labels."""
    from exporter.cli.metrics import list_metrics

    list_metrics(as_json=as_json)
