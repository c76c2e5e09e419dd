"""Secrets are nowhere but in requests."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from exporter.simulator.world.accounts.directory import WATCHER_PERMISSIONS
from tests.support.exporter import wait_until
from tests.support.standin import Scene, community, enterprise, fleet

KEY = "pa55+wörd/for=keys"
NAME = "odd-watcher"
PAGE_SECRET = "pr0metheus-page-secret"
TOKEN = "api_" + base64.b64encode(f"{NAME}:{KEY}".encode()).decode()
BASIC = base64.b64encode(f"{NAME}:{KEY}".encode()).decode()
SECRETS = (KEY, PAGE_SECRET, TOKEN, BASIC, TOKEN.removeprefix("api_"))
LOGIN_ECHO = json.dumps({"type": "about:blank", "title": f"Basic {BASIC}", "detail": f"bad {KEY} of a@b.test"})
ADMIT = '[log]\nlevel = "debug"\n'


def spoil(scene: Scene, *, page: bool) -> None:
    """Everything goes wrong, and the server repeats what we sent it."""
    faults = scene.server.faults
    faults.add("body", "/api/queue/messages", status=500, body=LOGIN_ECHO, content_type="application/problem+json")
    faults.add("html", "/api/logs", status=502, body=f"<html>{BASIC} {KEY}</html>")
    faults.add("error-200", "/api/queue/reports", body=f"denied: {BASIC} {KEY}")
    faults.add("redirect", "/api/telemetry/traces", body=f"https://x.test/?key={KEY}")
    faults.add("garbage", "/api/telemetry/metrics", body=f"{KEY} {BASIC}")
    if page:
        faults.add("body", "/metrics/prometheus", body=f"{KEY}\n{BASIC} 1\n")


def test_no_secret_is_shown_anywhere(tmp_path: Path):
    """Over failures of every kind and a reload, log, pages and metrics hold no password, token or header value."""
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    login = {"login": None, "token_file": str(secret), "native": False}
    native = {"native_username": "prometheus", "native_password": PAGE_SECRET}
    profiles = {"good": community(native_login=("prometheus", PAGE_SECRET)), "bad": enterprise()}
    with fleet(tmp_path, profiles, **login, **native) as scenes:
        good, bad = scenes["good"], scenes["bad"]
        for scene in scenes.values():
            scene.server.call(lambda world: world.directory.add_key(NAME, KEY, WATCHER_PERMISSIONS))
        config = good.exporter.config_path
        config.write_text(ADMIT + config.read_text())
        good.reload()
        good.wait_for("stalwart_up", 1)
        spoil(bad, page=True)
        spoil(good, page=False)
        pages = []
        for collector in ("queue", "logs", "outgoing"):
            bad.wait(lambda c=collector: any_failure(bad, c), lambda c=collector: f"{c} does not fail")  # type: ignore[misc]
            pages += [bad.page(), bad.page("/"), bad.page("/-/ready")]
        bad.server.call(lambda world: world.directory.rotate_secret(NAME, "another"))
        bad.server.faults.clear()
        bad.reload()
        bad.wait_for("stalwart_up", 0)
        wait_until(lambda: "refused" in bad.page("/"), what="the refusal is told")

        shown = "\n".join([*pages, bad.page(), bad.page("/"), bad.exporter.log()])
        assert [word for word in SECRETS if word in shown] == []
        assert "a@b.test" not in shown


def any_failure(scene: Scene, collector: str) -> bool:
    """Whether a collector has failed for whatever reason."""
    failures = scene.shown("stalwart_exporter_collector_failures_total", "collector")
    return (collector,) in failures
