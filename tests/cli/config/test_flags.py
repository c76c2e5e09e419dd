"""Options named as those of other exporters are, before and behind the command."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from exporter.cli.config.flags import COLLECTORS, NO_COLLECTORS, VARIABLES
from exporter.settings.describe import global_keys
from exporter.settings.environment import NO_COLLECTORS as KNOWN_NO_COLLECTORS
from exporter.settings.environment import SHORT_NAMES, variable_name
from exporter.settings.servers.collectors import CollectorSettings
from tests.support.commands import run_command, running
from tests.support.exporter import wait_until

SERVERS = """
[[servers]]
name = "mx1"
url = "http://127.0.0.1:9"
username = "watcher"
password = "secret"

[[servers]]
name = "mx2"
url = "http://127.0.0.1:9"
username = "watcher"
password = "secret"
"""
NO_SERVER = dict.fromkeys(("STALWART_EXPORTER_URL", "STALWART_EXPORTER_USERNAME", "STALWART_EXPORTER_PASSWORD"), "")

PASS_SOCKET = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Does what systemd does for a socket unit."""


def test_the_options_set_variables_that_the_settings_know():
    """They are written out where they are declared, since importing the settings takes long."""
    known = {variable_name(key.path) for key in global_keys()} | set(SHORT_NAMES.values())

    assert {name for names in VARIABLES.values() for name in names} <= known
    assert tuple(CollectorSettings.model_fields) == COLLECTORS
    assert NO_COLLECTORS == KNOWN_NO_COLLECTORS


def test_addresses_path_and_collectors_are_set_on_the_command_line(tmp_path: Path):
    """Every address answers, the metrics are at their path only, and a collector is off for every server."""
    config = tmp_path / "own.toml"
    config.write_text(SERVERS)
    options = ["--config.file", str(config), "--log.level", "debug", "--no-collector.logs", "run"]
    options += ["--web.listen-address", "127.0.0.1:0", "--web.listen-address", "127.0.0.2:0"]
    options += ["--web.telemetry-path", "/own/metrics", "--no-collector.traces", "--log.format", "json"]

    with running(tmp_path, options, environ=NO_SERVER) as exporter:
        addresses = exporter.event("exporter.started")["addresses"]
        assert isinstance(addresses, list)
        assert len(set(addresses)) == 2
        pages = [httpx.get(f"http://{address}/own/metrics", timeout=60).text for address in addresses]
        assert httpx.get(f"http://{addresses[0]}/metrics", timeout=60).status_code == 404

        def collectors(server: str) -> set[str]:
            page = httpx.get(f"http://{addresses[0]}/own/metrics", timeout=60).text
            return {name for name in COLLECTORS if f'interval_seconds{{server="{server}",collector="{name}"}}' in page}

        wanted = set(COLLECTORS) - {"logs", "traces"}
        wait_until(lambda: collectors("mx1") == collectors("mx2") == wanted, what="all collectors but two")
    assert all("stalwart_exporter_build_info" in page for page in pages)


def test_sockets_are_taken_from_systemd(tmp_path: Path):
    """The exporter serves on a socket that it was passed, and on no other."""
    prefix = [sys.executable, "-c", PASS_SOCKET]

    with running(tmp_path, ["run", "--web.systemd-socket"], prefix=prefix) as exporter:
        assert httpx.get(f"http://127.0.0.1:{exporter.port}/-/healthy", timeout=60).text == "ok\n"


def test_a_socket_that_was_not_passed_is_told(tmp_path: Path):
    """Started by hand, the exporter ends with status 1 and says what to do."""
    ended = run_command(tmp_path, "run", "--web.systemd-socket")

    assert ended.returncode == 1
    assert "systemd has passed no socket" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--web.listen-address", "9787"), "HOST:PORT"),
        (("--log.level", "loud"), "debug"),
        (("--no-collector.everything",), "No such option"),
        (("--web.telemetry-path", "metrics"), "telemetry_path"),
    ],
    ids=["address", "level", "collector", "path"],
)
def test_a_wrong_option_ends_with_status_2(tmp_path: Path, arguments: tuple[str, ...], words: str):
    """Nothing is started, and the option or its setting is named."""
    ended = run_command(tmp_path, "check-config", *arguments)

    assert ended.returncode == 2
    assert words in ended.stdout + ended.stderr


def test_an_unknown_collector_in_the_environment_is_a_problem(tmp_path: Path):
    """The accepted names are listed."""
    ended = run_command(tmp_path, "check-config", environ={NO_COLLECTORS: "logs, lots"})

    assert ended.returncode == 2
    assert f"{NO_COLLECTORS}: lots is no collector; accepted: queue, failed" in ended.stdout + ended.stderr


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_printed_without_anything_else(tmp_path: Path, option: str):
    """Even if the configuration is invalid."""
    ended = run_command(tmp_path, option, environ={"STALWART_EXPORTER_LISTEN": "nowhere"})

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("stalwart-exporter ")


def test_switches_show_no_type(tmp_path: Path):
    """Of the first command and of one within a group."""
    pages = [run_command(tmp_path, *words, "--help").stdout for words in ((), ("run",), ("queue", "cancel"))]

    assert all("--help" in page and "bool" not in page.lower() for page in pages)
