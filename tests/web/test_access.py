"""Who may see personal data."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.web.access import mark_logged_in, may_see_personal_data
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from tests.support.listener.app import HASH, Run, application, basic, browsing, serving


def scope(client: str, server: str, host: str | None = "localhost:9787") -> dict[str, object]:
    headers = [] if host is None else [(b"host", host.encode())]
    return {"client": (client, 5000), "server": (server, 9787), "headers": headers}


@pytest.mark.parametrize(
    ("client", "server", "host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:9787", True),
        ("::1", "::1", "[::1]:9787", True),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.0.0.1", "evil.example:9787", False),
        ("127.0.0.1", "127.0.0.1", None, False),
        ("192.0.2.7", "192.0.2.7", "localhost", False),
        ("192.0.2.8", "192.0.2.7", "localhost", False),
        ("192.0.2.8", "127.0.0.1", "localhost", False),
    ],
)
def test_only_this_machine_sees_personal_data_without_a_login(client, server, host, expected):
    """Both ends are loopback, and so is the name by which the page was asked for."""
    assert may_see_personal_data(scope(client, server, host)) is expected


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"x-real-ip"])
def test_what_a_proxy_passes_on_is_not_from_this_machine(name):
    """A proxy on this machine connects over loopback for everybody."""
    asked = scope("127.0.0.1", "127.0.0.1", "127.0.0.1:9787")
    forwarded = {**asked, "headers": [(b"host", b"127.0.0.1:9787"), (name, b"198.51.100.7")]}

    assert may_see_personal_data(asked)
    assert not may_see_personal_data(forwarded)


def test_a_login_is_enough_from_anywhere():
    """Whoever has logged in may see the page."""
    asked = scope("192.0.2.8", "192.0.2.7", "mail.example.org")
    mark_logged_in(asked)

    assert may_see_personal_data(asked)


def test_open_paths_need_no_login_and_the_pages_do(run: Run):
    """A scraper without a password reads the metrics, and nobody a page."""
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"me": HASH}), open_paths=("/metrics",))

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server) as client:
            metrics = await client.get("/metrics")
            page = await client.get("/")
            shown = await client.get("/", headers=basic("me", "s3cret"))

        assert [answer.status_code for answer in (metrics, page, shown)] == [200, 401, 200]

    run(scenario())
