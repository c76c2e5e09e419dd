"""Who may see what of the running exporter, by its settings."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.support.commands import running
from tests.support.listener.app import HASH, basic

FOREIGN = {"Host": "mail.example.org"}


def statuses(url: str, *, login: bool = False) -> dict[str, int]:
    """The status of each kind of path, asked for by a name that is not this machine's."""
    headers = {**FOREIGN, **(basic("me", "s3cret") if login else {})}
    paths = ("/metrics", "/-/ready", "/", "/servers/x", "/alerts", "/mail", "/reports")
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        return {path: client.get(path).status_code for path in paths}


def test_metrics_and_health_are_open_where_the_pages_need_a_login(tmp_path: Path):
    """The setting opens just these; a login opens the pages with addresses, too, by any name of the host."""
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{me: '{HASH.decode()}'}}\n")
    environ = {
        "STALWART_EXPORTER_LISTEN": "127.0.0.1:0",
        "STALWART_EXPORTER_WEB__CONFIG_FILE": str(tmp_path / "web.yml"),
        "STALWART_EXPORTER_WEB__WITHOUT_LOGIN": "health_and_metrics",
    }
    with running(tmp_path, environ=environ) as exporter:
        url = f"http://127.0.0.1:{exporter.port}"

        without, with_login = statuses(url), statuses(url, login=True)

    # Whether it is ready depends on the moment.
    assert without.pop("/-/ready") in (200, 503)
    assert with_login.pop("/-/ready") in (200, 503)
    pages = ("/", "/servers/x", "/alerts", "/mail", "/reports")
    assert without == {"/metrics": 200, **dict.fromkeys(pages, 401)}
    assert with_login == {"/metrics": 200, **dict.fromkeys(pages, 200), "/servers/x": 404}


@pytest.mark.fault("web", "a web site's name leads to loopback")
def test_without_a_login_addresses_are_shown_to_this_machine_alone(tmp_path: Path):
    """A web site whose name leads to loopback gets no page with addresses, whoever's browser asks for it."""
    with running(tmp_path, environ={"STALWART_EXPORTER_LISTEN": "127.0.0.1:0"}) as exporter:
        url = f"http://127.0.0.1:{exporter.port}"

        assert httpx.get(f"{url}/mail", trust_env=False, timeout=60).status_code == 200
        refused = statuses(url)
        assert (refused["/mail"], refused["/"], refused["/reports"]) == (403, 200, 200)
