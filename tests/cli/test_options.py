"""Options of the command line: what is refused as a usage error, and where options may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from exporter.cli.main import app
from tests.support.commands import run_command, running

HUGE = "9" * 400
NUMBERS = ("nan", "inf", "-inf", "-1", "1e999", HUGE, "", "x")

WRONG = [
    *(("demo", "--speed", value) for value in ("0", *NUMBERS)),
    *(("demo", "--seed", value) for value in ("nan", "1.5", "x")),
    *(("demo", "--listen", value) for value in (":9788", "9999", "[::1]", "x:y", "127.0.0.1:99999", "")),
    ("demo", "--edition", "paid"),
    ("demo", "--generation", "soap"),
    *(("doctor", "--listen", value) for value in NUMBERS),
    *(("healthcheck", "--timeout", value) for value in ("0", *NUMBERS)),
    *(("reports", "list", "--limit", value) for value in ("0", *NUMBERS)),
    *(("reports", "summary", "example.org", "--days", value) for value in ("0", *NUMBERS)),
    *(("reports", "prune", "--older-than", value) for value in ("900000d", *NUMBERS)),
    *(("reports", "list", "--since", value) for value in ("900000d", *NUMBERS)),
]


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: " ".join(arguments)[:60])
def test_a_number_out_of_range_is_a_usage_error(arguments):
    """Zero, negative, endless and unreadable values end with status 2 and a line, before anything is done."""
    ended = CliRunner().invoke(app, arguments)

    assert ended.exit_code == 2, ended.output
    assert isinstance(ended.exception, SystemExit)
    assert ended.stderr.strip()


def test_a_usage_error_of_the_process_is_no_traceback(tmp_path: Path):
    """The exit status is 2 and the option is named."""
    ended = run_command(tmp_path, "demo", "--speed", "-1")

    assert ended.returncode == 2
    assert "--speed" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("before", [True, False], ids=["before run", "without a command"])
def test_options_of_run_may_stand_before_the_command(tmp_path: Path, before):
    """``--config`` and ``--web.config.file`` work with the default command and before a named one."""
    config = tmp_path / "own.toml"
    config.write_text('[log]\nformat = "json"\nlevel = "debug"\n')
    web = tmp_path / "web.yml"
    web.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    options = ["--config", str(config), "--web.config.file", str(web)]

    with running(tmp_path, [*options, "run"] if before else options) as exporter:
        web.write_text("more: 1\n")
        exporter.wait_for_event("web_config.reload_failed")


def test_an_option_before_the_command_reaches_commands_within_a_group(tmp_path: Path):
    """``--config`` names the configuration for every command behind it."""
    config = tmp_path / "own.toml"
    config.write_text(f'[store]\npath = "{tmp_path / "elsewhere.sqlite3"}"\n')

    ended = run_command(
        tmp_path, "--config", str(config), "reports", "status", environ={"STALWART_EXPORTER_STORE_PATH": ""}
    )

    assert "elsewhere.sqlite3" in ended.stderr


def test_the_demo_names_its_option_where_the_port_is_taken(tmp_path: Path):
    """A second demo on the port of a running exporter ends with status 1 and names ``--listen``."""
    with running(tmp_path) as exporter:
        ended = run_command(tmp_path, "demo", "--listen", f"127.0.0.1:{exporter.port}")

    assert ended.returncode == 1
    assert "--listen" in ended.stderr


@pytest.mark.fault("process", "the port is taken by another program")
def test_a_taken_port_names_the_setting_to_change(tmp_path: Path):
    """The exporter exits with 1 and names the address, `web.listen` and its environment variable."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with running(first) as exporter:
        address = f"127.0.0.1:{exporter.port}"
        ended = run_command(second, "run", environ={"STALWART_EXPORTER_LISTEN": address})

    assert ended.returncode == 1
    assert all(words in ended.stderr for words in (address, "web.listen", "STALWART_EXPORTER_LISTEN"))
