"""The shipped Alertmanager configuration: who is told what, and what is not said twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
import yaml

from tests.alerts.test_rules import run
from tests.support.alerts import promtool
from tests.support.alerts.chain import alertmanager, alertmanager_config
from tests.support.exporter import wait_until

Labelled = tuple[str, dict[str, str]]

CONFIG = promtool.ALERTS / "alertmanager.example.yml"

ROUTES = {
    "pager": [
        "alertname=StalwartQueueBacklog severity=page server=mx1",
        "alertname=StalwartDeliveryFailureRatio severity=page server=mx1",
        "alertname=StalwartDeliveriesStalled severity=page server=mx2",
        "alertname=StalwartServerDown severity=page server=mx1 job=anything",
        "alertname=StalwartExporterDown severity=page instance=exporter:9787",
    ],
    "tickets": [
        "alertname=StalwartQueueGrowing severity=ticket server=mx1",
        "alertname=StalwartDmarcFailureSpike severity=ticket server=mx1 domain=example.org",
        "alertname=SomethingElse server=mx1",
    ],
    "dead-mans-switch": ["alertname=Watchdog severity=none"],
}


def test_amtool_accepts_it():
    """`amtool check-config` on the file as shipped."""
    assert "SUCCESS" in run("amtool", "check-config", str(CONFIG))


@pytest.mark.parametrize(("receiver", "labels"), [(r, labels) for r, all_ in ROUTES.items() for labels in all_])
def test_route(receiver: str, labels: str):
    """`amtool config routes test`: pages wake somebody, tickets wait, the watchdog goes to the dead man's switch."""
    options = (f"--config.file={CONFIG}", f"--verify.receivers={receiver}")

    assert run("amtool", "config", "routes", "test", *options, *labels.split()).strip() == receiver


def test_every_rule_has_a_route_by_its_severity():
    """The severities of the rules are those that the routes know."""
    receivers = {"page": "pager", "ticket": "tickets", "none": "dead-mans-switch"}
    for name, rule in promtool.shipped_rules().items():
        severity = rule["labels"]["severity"]
        options = (f"--config.file={CONFIG}", f"--verify.receivers={receivers[severity]}")

        run("amtool", "config", "routes", "test", *options, f"alertname={name}", f"severity={severity}")


def test_inhibitions_name_rules_that_exist():
    """Every pattern of an inhibition matches at least one alert, and none silences its own source."""
    names = list(promtool.shipped_rules())
    for rule in yaml.safe_load(CONFIG.read_text())["inhibit_rules"]:
        sources = matching(names, rule["source_matchers"])
        targets = matching(names, rule["target_matchers"])

        assert sources
        assert targets
        assert not set(sources) & set(targets)


PAGED = {"job": "mail", "instance": "exporter:9787"}
MX1, MX2 = {**PAGED, "server": "mx1"}, {**PAGED, "server": "mx2"}
OTHER = {"job": "mail", "instance": "exporter2:9787", "server": "mx1"}
HOST = {**MX1, "name": "a.test"}

INHIBITIONS = [
    (("StalwartServerDown", MX1), ("StalwartCollectorStale", {**MX1, "collector": "logs"}), True),
    (("StalwartServerDown", MX1), ("StalwartQueueBacklog", MX1), True),
    (("StalwartServerDown", MX1), ("StalwartQueueBacklog", MX2), False),
    (("StalwartServerDown", MX1), ("SomethingElse", MX1), False),
    (("StalwartCredentialsRefused", MX1), ("StalwartStreamDown", {**MX1, "stream": "traces"}), True),
    (("StalwartExporterDown", PAGED), ("StalwartServerDown", MX1), True),
    (("StalwartExporterDown", PAGED), ("StalwartQueueBacklog", MX2), True),
    (("StalwartExporterDown", PAGED), ("StalwartQueueBacklog", OTHER), False),
    (("StalwartQueuePaused", MX1), ("StalwartQueueBacklog", MX1), True),
    (("StalwartQueuePaused", MX1), ("StalwartDeliveryFailureRatio", MX1), False),
    (("StalwartQueueBacklog", MX1), ("StalwartQueueGrowing", MX1), True),
    (("StalwartCertificateAboutToExpire", HOST), ("StalwartCertificateExpiring", HOST), True),
    (("StalwartCertificateAboutToExpire", HOST), ("StalwartCertificateExpiring", {**HOST, "name": "b.test"}), False),
    (("StalwartDeliverySloFastBurn", {**MX1, "window": "1h"}), ("StalwartDeliverySloSlowBurn", MX1), True),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Alertmanager with the shipped configuration; its receivers do not exist."""
    config = alertmanager_config("http://127.0.0.1:9")
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), config) as url:
        yield url


@pytest.mark.parametrize(("source", "target", "inhibited"), INHIBITIONS)
def test_inhibition(running: str, source: Labelled, target: Labelled, inhibited: bool, request: pytest.FixtureRequest):
    """What one alert says about another is not said again; what it says nothing about is."""
    case = {"case": request.node.name}
    alerts = [{"labels": {"alertname": name, **labels, **case}} for name, labels in (source, target)]
    httpx.post(f"{running}/api/v2/alerts", json=alerts).raise_for_status()

    def states() -> dict[str, str]:
        query = {"filter": f'case="{case["case"]}"'}
        found = httpx.get(f"{running}/api/v2/alerts", params=query).json()
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in found}

    wanted = {source[0]: "active", target[0]: "suppressed" if inhibited else "active"}
    try:
        wait_until(lambda: states() == wanted, what=f"{wanted}")
    finally:
        ended = [{**alert, "endsAt": "2000-01-01T00:00:00Z"} for alert in alerts]
        httpx.post(f"{running}/api/v2/alerts", json=ended).raise_for_status()
        wait_until(lambda: not states(), what="the alerts are over")


def matching(names: list[str], matchers: list[str]) -> list[str]:
    """The alerts that the matchers on `alertname` select."""
    for matcher in matchers:
        label, operator, value = re.fullmatch(r"(\w+) (=~|!~|!=|=) \"?([^\"]+)\"?", matcher).groups()
        if label != "alertname":
            continue
        pattern = value if "~" in operator else re.escape(value)
        wanted = not operator.startswith("!")
        names = [name for name in names if bool(re.fullmatch(pattern, name)) is wanted]
    return names


def test_no_receiver_sends_mail():
    """Mail about a dead mail server would wait in its queue."""
    receivers = yaml.safe_load(CONFIG.read_text())["receivers"]

    assert {key for receiver in receivers for key in receiver} == {"name", "webhook_configs"}
    assert "WARNING: no receiver here sends mail" in CONFIG.read_text()
