"""Probes of both generations, from the stand-in to the page, with a login of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from exporter.simulator import Profile, StandIn, World
from exporter.simulator.common.probes import OWN_ADDRESS
from tests.support.exporter import Exporter
from tests.support.standin import Scene, server_table

SECRET = "lab-prober-secret"
PERMISSIONS = {
    "0.15.5": frozenset({"authenticate", "troubleshoot", "spam-filter-test"}),
    "0.16.18": frozenset(
        {"authenticate", "liveDeliveryTest", "sysActionCreate", "actionClassifySpam", "actionTroubleshootDmarc"}
    ),
}
PATHS = ("/delivery/", "/classify", "/troubleshoot/")
PROBES = f"""
[servers.probes]
{{login}}
delivery_to = ["u@ok.test", "defer.test", "u@reject.test", "u@hang.test", "u@nowhere.test"]
delivery_interval = "1s"
delivery_timeout = "7s"
spam_recipient = "bob@example.test"
spam_interval = "1s"
dmarc_sender = "alice@example.test"
dmarc_interval = "1s"
address = "{OWN_ADDRESS}"
"""


def prepare(world: World) -> None:
    """Hosts with STARTTLS, one of which refuses; and a key for probes alone."""
    for domain, temper in (("ok.test", "accept"), ("defer.test", "defer"), ("reject.test", "reject")):
        world.set_destination(domain, temper, starttls=True, round_trip_ms=40)
    world.directory.add_key("prober", SECRET, PERMISSIONS[world.profile.version])


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """A server of each generation, both probed by one exporter."""
    with ExitStack() as stack:
        servers, tables = {}, []
        for version in PERMISSIONS:
            server = servers[version] = stack.enter_context(StandIn(Profile(version=version)))
            server.call(prepare)
            is_jmap = version == "0.16.18"
            own = {"login": None, "token": server.api_key()} if is_jmap else {}
            login = (
                f'token = "{server.api_key("prober")}"' if is_jmap else f'username = "prober"\npassword = "{SECRET}"'
            )
            tables.append(server_table(server.url, name=version, native=False, **own) + PROBES.format(login=login))
        exporter = stack.enter_context(Exporter(tmp_path_factory.mktemp("probes"), config="".join(tables)))
        yield {version: Scene(server, exporter, version) for version, server in servers.items()}


@pytest.mark.parametrize("version", PERMISSIONS)
@pytest.mark.fault("neighbours", "hosts that a probe tries defer, reject, hang or do not exist")
def test_deliveries_are_diagnosed_stage_by_stage(scenes: dict[str, Scene], version: str):
    """An address needs RCPT TO, a domain an encrypted session; each failure names its stage."""
    scene = scenes[version]
    scene.wait_shown(
        "stalwart_delivery_probe_result",
        "domain",
        "stage",
        "result",
        wanted={
            ("ok.test", "rcpt_to", "accepted"): 1,
            ("defer.test", "ehlo", "accepted"): 1,
            ("reject.test", "rcpt_to", "rejected"): 1,
            ("hang.test", "greeting", "failed"): 1,
            ("nowhere.test", "mx_lookup", "failed"): 1,
        },
    )
    success = {"ok.test": 1, "defer.test": 1, "reject.test": 0, "hang.test": 0, "nowhere.test": 0}
    for domain, value in success.items():
        assert scene.value("stalwart_delivery_probe_success", domain=domain) == value
    assert scene.value("stalwart_delivery_probe_stage_seconds", domain="ok.test", stage="starttls") == 0.04
    assert scene.value("stalwart_delivery_probe_stage_seconds", domain="hang.test", stage="greeting") == 7.001
    assert "u@ok.test" not in scene.page()


@pytest.mark.parametrize("version", PERMISSIONS)
def test_the_spam_filter_and_the_own_sender_are_probed(scenes: dict[str, Scene], version: str):
    """A clean message and one that is spam by agreement; SPF, reverse DNS and DMARC of our own mail."""
    scene = scenes[version]
    scene.wait_shown("stalwart_spam_probe_score", "message", wanted={("spam",): 16.5})
    assert scene.value("stalwart_spam_probe_score", message="clean") == 0
    scene.wait_shown(
        "stalwart_spam_probe_result", "message", "result", wanted={("clean", "ham"): 1, ("spam", "spam"): 1}
    )
    wanted = {("spf", "pass"): 1.0, ("iprev", "pass"): 1.0, ("dmarc", "pass"): 1.0}
    scene.wait_shown("stalwart_dmarc_probe_result", "part", "result", wanted=wanted)


@pytest.mark.parametrize("version", PERMISSIONS)
def test_only_the_prober_probes_and_it_does_nothing_else(scenes: dict[str, Scene], version: str):
    """Each login makes its own requests; none changes anything."""
    scene = scenes[version]
    scene.wait_for("stalwart_delivery_probe_success", 1, domain="ok.test")
    made = [(request.identity, request.path) for request in scene.server.requests if request.status == 200]
    probing = [account for account, path in made if any(part in path for part in PATHS)]

    assert set(probing) == {"prober"}
    assert not [
        path for account, path in made if account == "prober" and path.startswith(("/api/queue", "/api/report"))
    ]
    assert scene.server.harm_done == []
