"""What check-config shows."""

from __future__ import annotations

import json

from exporter.cli.config.result import check, report
from tests.support.settings.configuration import MINIMAL, write_private


def test_good_settings_are_shown_with_their_secrets_masked(tmp_path):
    """Exit code 0, one line of summary, each setting in force by its path."""
    path = write_private(tmp_path / "config.toml", MINIMAL)

    code, lines = report(path, {"STALWART_EXPORTER_INTERVALS__QUEUE": "90"})

    assert (code, lines[0]) == (0, "ok: 1 server")
    assert 'web.listen = "127.0.0.1:9787"' in lines
    assert 'store.retention = "400d"' in lines
    assert 'servers[0].name = "mx1.example.org"' in lines
    assert 'servers[0].token = "***"' in lines
    assert 'servers[0].intervals.queue = "1m30s"' in lines
    assert "servers[0].max_domains = 25" in lines
    assert "servers[0].tls.insecure_skip_verify = false" in lines
    assert not any("secret-token" in line for line in lines)
    assert not any(line.startswith("servers[0].username") for line in lines)


def test_several_servers_are_counted_and_each_is_shown(tmp_path):
    """The summary counts servers."""
    path = write_private(tmp_path / "config.toml", MINIMAL + MINIMAL.replace("mx1", "mx2"))

    code, lines = report(path, {})

    assert (code, lines[0]) == (0, "ok: 2 servers")
    assert 'servers[1].url = "https://mx2.example.org"' in lines


def test_warnings_come_first_and_do_not_fail_the_check(tmp_path):
    """A warning is seen, and the settings still work."""
    path = write_private(tmp_path / "config.toml", MINIMAL.replace("https", "http"))

    code, lines = report(path, {})

    assert code == 0
    assert lines[0].startswith("warning: servers[0].url: plain http")
    assert lines[1] == "ok: 1 server"


def test_wrong_settings_are_listed_and_exit_with_two(tmp_path):
    """Problems, each on a line, and nothing else."""
    path = write_private(tmp_path / "config.toml", MINIMAL + "max_domain = 1\nname = 5\n")

    code, lines = report(path, {})

    assert code == 2
    assert [line.partition(": ")[0] for line in lines] == ["servers[0].name", "servers[0].max_domain"]


def test_programs_get_the_same_as_json(tmp_path):
    """Good settings are data: seconds and bytes as numbers, secrets masked."""
    path = write_private(tmp_path / "config.toml", MINIMAL.replace("https", "http"))

    data = json.loads(json.dumps(check(path, {}).data()))

    assert (data["ok"], data["problems"], len(data["warnings"])) == (True, [], 1)
    assert data["settings"]["store"]["retention"] == 34_560_000.0
    assert data["settings"]["web"]["listen"] == "127.0.0.1:9787"
    assert data["settings"]["servers"][0]["token"] == "***"
    assert data["settings"]["servers"][0]["max_body_bytes"] == 67_108_864


def test_programs_get_problems_as_json(tmp_path):
    """Wrong settings are data too."""
    result = check(tmp_path / "absent.toml", {})

    assert result.exit_code == 2
    assert result.data() == {
        "ok": False,
        "problems": [f"{tmp_path}/absent.toml: no such file"],
        "warnings": [],
        "settings": None,
    }
