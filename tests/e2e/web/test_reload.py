"""A web configuration that is edited under a running exporter, or wrong at its start, on the real process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.commands import Running, run_command, running
from tests.support.exporter import wait_until
from tests.support.listener.app import HASH as PASSWORD_HASH

LOGIN = ("prometheus", "s3cret")
GOOD = f"basic_auth_users: {{prometheus: '{PASSWORD_HASH.decode()}'}}\n"
RELOAD_METRIC = "stalwart_exporter_config_last_reload_successful"

Make = Callable[[Path], object]


def write(content: str | bytes) -> Make:
    """Makes a file of that content."""
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


BROKEN: dict[str, Make] = {
    "a date that does not exist as a header": write("http_server_config: {headers: {X-XSS-Protection: 2026-13-45}}"),
    "a number that is none": write("basic_auth_users: {prometheus: !!int x}"),
    "half a surrogate pair": write('basic_auth_users: {"a\\ud800": "\\udfff"}'),
    "an escape beyond Unicode": write('basic_auth_users: {a: "\\UFFFFFFFF"}'),
    "a path with a NUL": write('tls_server_config: {cert_file: "a\\0b", key_file: "a\\0b"}'),
    "nesting without end": write("[" * 5000),
    "an alias to itself": write("&a {basic_auth_users: *a}"),
    "bytes that are no text": write(b"\xff\xfe\xff"),
    "a version without end": write("%YAML " + "9" * 5000 + ".1\n---\n{}"),
    "merges of merges": write("a: &a {b: 1}\n" + "".join(f"k{n}: {{<<: *a}}\n" for n in range(20)) + "<<: [1]\n"),
    "a file too large": write("#" * 1_000_000),
    "a directory": lambda path: path.mkdir(),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": lambda path: os.mkfifo(path),
    "nothing": lambda path: None,
}


def put(path: Path, make: Make) -> None:
    """Replaces whatever is at the path."""
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    make(path)


def reload_metric(exporter: Running) -> float:
    """Whether the configuration in force is the newest, as the metrics page says it."""
    page = httpx.get(f"http://127.0.0.1:{exporter.port}/metrics", auth=LOGIN, timeout=60).text
    (line,) = [line for line in page.splitlines() if line.startswith(f"{RELOAD_METRIC} ")]
    return float(line.split()[1])


@pytest.mark.fault("configuration", "the web configuration is replaced by something unreadable or invalid")
def test_whatever_stands_in_the_web_configuration_the_old_one_stays_in_force(tmp_path: Path):
    """The old logins hold, the reload metric is 0, and one log line names the file until it is valid."""
    web = tmp_path / "web.yml"
    web.write_text(GOOD)

    with running(tmp_path, ("run", "--web.config.file", str(web))) as exporter:
        for what, make in BROKEN.items():
            before = len(exporter.events("web_config.reload_failed"))
            put(web, make)

            wait_until(lambda: reload_metric(exporter) == 0.0, what=f"{what} is noticed", seconds=120)

            failures = exporter.events("web_config.reload_failed")[before:]
            assert {str(web) in str(failure["problems"]) for failure in failures} == {True}, (what, failures)
            unguarded = httpx.get(f"http://127.0.0.1:{exporter.port}/metrics", timeout=60)
            assert unguarded.status_code == 401, what

            put(web, write(GOOD))
            wait_until(lambda: reload_metric(exporter) == 1.0, what=f"recovery from {what}", seconds=120)

        assert "Traceback" not in exporter.log()


@pytest.mark.parametrize("what", ["a number that is none", "half a surrogate pair", "a directory", "a pipe", "nothing"])
def test_a_web_configuration_that_cannot_be_read_ends_the_start_with_its_path(tmp_path: Path, what):
    """The exit status is 2 and the error output names the file, in one line and without a traceback."""
    web = tmp_path / "web.yml"
    put(web, BROKEN[what])

    ended = run_command(tmp_path, "run", "--web.config.file", str(web))

    assert ended.returncode == 2
    assert str(web) in ended.stderr
    assert "Traceback" not in ended.stderr
