"""From a server in trouble to a pager: the shipped rules and routes on real processes, for either edition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from alerts.promql import names_in
from dashboards.boards.lint import known_metrics
from exporter.simulator import Profile
from tests.support.alerts.chain import Chain, chain
from tests.support.alerts.queries import every_query, may_be_empty
from tests.support.worlds.day import live_through

PROFILES = {
    "community": Profile(edition="community"),
    "enterprise": Profile(edition="enterprise", metrics_store=True, trace_store=True),
}


@pytest.fixture(scope="module", params=list(PROFILES))
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A server with mail flowing, watched all the way to the pager."""
    with chain(tmp_path_factory.mktemp(request.param), PROFILES[request.param]) as running:
        running.server.call(lambda world: [world.submit([f"calm{n}@ok.test"]) for n in range(5)])
        running.wait(
            lambda: running.ask('server:stalwart_deliveries:sum{outcome="delivered"} > 0'),
            "deliveries have come all the way to Prometheus",
        )
        running.wait(running.notifies, "Prometheus has found Alertmanager")
        yield running


def sender(number: int) -> str:
    """One of many senders: none of them is unusual."""
    return f"member{number % 10}@example.test"


@pytest.fixture
def calm(watched: Chain) -> Chain:
    """The same with nothing firing, and only what is told from now on counting."""
    watched.wait_until_calm()
    watched.begin()
    return watched


def test_a_backlog_pages_and_its_recovery_resolves(calm: Chain):
    """A destination defers everything until its host accepts again."""
    calm.server.call(lambda world: [world.submit([f"user{n}@defer.test"], sender=sender(n)) for n in range(30)])
    calm.wait(lambda: calm.pages("firing"), "a page about the backlog")

    page = calm.receiver.told("pager", calm.mark)[0]
    alert = page["alerts"][0]
    assert calm.pages("firing") == [{"StalwartQueueBacklog"}]
    assert (alert["labels"]["server"], alert["labels"]["severity"]) == ("mx1", "page")
    assert alert["annotations"]["summary"] == "mx1: 30 messages in the queue"
    assert alert["annotations"]["runbook_url"] == "docs/runbooks/StalwartQueueBacklog.md"

    calm.server.call(lambda world: world.set_destination("defer.test", "accept"))
    calm.wait(lambda: calm.pages("resolved"), "the page is resolved")
    assert calm.pages("resolved") == [{"StalwartQueueBacklog"}]
    assert calm.server.call(lambda world: world.queue_size()) == 0


def test_failing_deliveries_page_and_resolve(calm: Chain):
    """A destination rejects what it is given."""
    calm.server.call(lambda world: [world.submit([f"user{n}@reject.test"], sender=sender(n)) for n in range(60)])
    calm.wait(lambda: calm.pages("firing"), "a page about failing deliveries")

    assert calm.pages("firing") == [{"StalwartDeliveryFailureRatio"}]

    calm.server.call(lambda world: [world.submit([f"good{n}@ok.test"], sender=sender(n)) for n in range(60)])
    calm.wait(lambda: calm.pages("resolved"), "the page is resolved")
    assert calm.pages("resolved") == [{"StalwartDeliveryFailureRatio"}]


def test_a_dead_server_pages_once_and_its_symptoms_are_inhibited(calm: Chain):
    """One notification says that the server is down; stale collectors are known and silenced."""
    calm.server.stop_listening()
    calm.wait(lambda: "StalwartCollectorStale" in calm.alerts(), "the symptoms fire too")
    calm.wait(lambda: calm.pages("firing"), "a page about the server")

    alerts = calm.alerts()
    down = alerts["StalwartServerDown"]
    assert alerts["StalwartCollectorStale"]["status"]["state"] == "suppressed"
    assert alerts["StalwartCollectorStale"]["status"]["inhibitedBy"] == [down["fingerprint"]]
    assert down["status"]["state"] == "active"

    calm.server.start_listening()
    calm.wait(lambda: calm.pages("resolved"), "the page is resolved", seconds=90)
    assert calm.pages("firing") == [{"StalwartServerDown"}]
    assert calm.pages("resolved") == [{"StalwartServerDown"}]
    assert calm.tickets() == set()


def test_the_dead_mans_switch_is_told(watched: Chain):
    """Whatever else happens: Prometheus sends what goes on firing once a minute."""
    watched.wait(lambda: watched.receiver.told("dead-mans-switch"), "the dead man's switch is told", seconds=90)

    assert watched.receiver.told("dead-mans-switch")[0]["commonLabels"]["alertname"] == "Watchdog"


def test_a_stolen_account_pages(watched: Chain):
    """
    300 messages to 250 strangers page once, without the account's name.

    After the tests that wait for calm: the account stays unusual for the rest of the hour.
    """
    watched.wait_until_calm()
    watched.begin()
    watched.server.call(
        lambda world: [world.submit([f"stranger{n % 250}@ok.test"], sender="bob@example.test") for n in range(300)]
    )
    watched.wait(lambda: watched.pages("firing"), "a page about the account")

    assert watched.pages("firing") == [{"StalwartUnusualSender"}]
    told = [alert for body in watched.receiver.told("pager", watched.mark) for alert in body["alerts"]]
    alert = next(alert for alert in told if alert["status"] == "firing")
    assert alert["annotations"]["summary"] == "mx1: unusual sending by 1 account"
    assert "bob" not in str(alert)


def test_every_query_of_panels_rules_and_runbooks_has_an_answer(watched: Chain):
    """
    While some of everything happens each query is understood, asks for nothing that the exporter does not have, and
    finds something, but for those that are listed with the reason.
    """
    queries = every_query(watched.rules.parent / "thresholds.yaml")
    known = known_metrics()
    unknown = {query.name: names_in(query.expr) - known for query in queries}
    assert {name: missing for name, missing in unknown.items() if missing} == {}
    excused = may_be_empty(watched.edition)
    assert excused - {query.name for query in queries} == set()
    waiting = {query.name: query.expr for query in queries if query.name not in excused}
    watched.server.restart()
    for query in queries:
        watched.ask(query.expr)

    numbers = itertools.count(1)

    def all_answered() -> bool:
        number = next(numbers)
        watched.server.call(lambda world: live_through(world, number))
        watched.wait_for_a_scrape()
        for name, expr in list(waiting.items()):
            if watched.ask(expr):
                del waiting[name]
        return not waiting

    try:
        watched.wait(all_answered, "every query has an answer", seconds=75)
    except AssertionError as error:
        raise AssertionError("\n".join(f"{name}: {expr}" for name, expr in sorted(waiting.items()))) from error
