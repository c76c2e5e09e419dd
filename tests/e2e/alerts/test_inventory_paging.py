"""From a certificate that nobody renewed, and a task that was given up, to who is told; with a server of v0.16."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.simulator import Profile, World
from tests.support.alerts.chain import Chain, chain
from tests.support.alerts.queries import every_query, listed_as

NOT_BEFORE_V016 = "Only a server from v0.16 on tells what it holds beside mail"


def in_trouble(world: World) -> None:
    """One certificate ends in two days, one in ten; one was renewed in time beside its expired predecessor."""
    inventory = world.inventory
    inventory.add_certificate(("mail.example.test", "imap.mail.example.test"), days_left=2)
    inventory.add_certificate(("www.example.test",), days_left=10)
    inventory.add_certificate(("mx.example.test",), days_left=-5)
    inventory.add_certificate(("mx.example.test", "smtp.mx.example.test"), days_left=85)
    inventory.add_task("AcmeRenewal", status="Failed", attempts=3, reason="the challenge failed")
    inventory.block("192.0.2.7", "portScanning")
    inventory.add_node("mx2.example.test", silent_for=2 * 3600)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A server of v0.16 in trouble, watched all the way to the pager."""
    with chain(tmp_path_factory.mktemp("jmap"), Profile(version="0.16.18")) as running:
        running.wait(running.notifies, "Prometheus has found Alertmanager")
        running.server.call(in_trouble)
        yield running


def test_every_query_about_the_inventory_has_an_answer(watched: Chain):
    """What servers before v0.16 leave empty is not empty here."""
    names = listed_as(NOT_BEFORE_V016)
    queries = {q.name: q.expr for q in every_query(watched.rules.parent / "thresholds.yaml") if q.name in names}
    assert queries.keys() == names

    def unanswered() -> set[str]:
        return {name for name, expr in queries.items() if not watched.ask(expr)}

    watched.wait(lambda: not unanswered(), "every query has an answer", seconds=60)


def test_a_certificate_about_to_expire_pages_and_the_rest_are_tickets(watched: Chain):
    """The page is about the one of two days alone, which then needs no ticket; a renewal ends it."""
    watched.wait(lambda: watched.pages("firing"), "a page about the certificate")
    expected = {"StalwartCertificateExpiring", "StalwartTasksFailed"}
    watched.wait(lambda: watched.tickets() >= expected, "tickets about the other certificate and the task", seconds=90)

    paged = watched.receiver.told("pager")[0]["alerts"]
    about = [(alert["labels"]["alertname"], alert["labels"]["name"]) for alert in paged]
    firing = watched.ask('ALERTS{alertname="StalwartCertificateExpiring",alertstate="firing"}')
    told = [alert for body in watched.receiver.told("tickets") for alert in body["alerts"]]

    assert about == [("StalwartCertificateAboutToExpire", "mail.example.test")]
    assert paged[0]["annotations"]["summary"].startswith("mx1: the certificate for mail.example.test expires in 1d 23h")
    assert {row["metric"]["name"] for row in firing} == {"mail.example.test", "www.example.test"}
    assert {alert["labels"].get("type") for alert in told} == {None, "AcmeRenewal"}
    assert watched.tickets() == expected

    watched.server.call(
        lambda world: world.inventory.add_certificate(("mail.example.test", "imap.mail.example.test"), days_left=90)
    )
    watched.wait(lambda: watched.pages("resolved"), "the page is resolved")
    assert watched.pages("resolved") == [{"StalwartCertificateAboutToExpire"}]
