"""Lists, sets and words in the reports of the JMAP generation, none of them empty, as the server's schema has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from exporter.simulator import DmarcRow, StandIn, TlsPolicy, World
from tests.support.replays.lab_jmap import call, jmap_stand_in, key
from tests.support.replays.logins import new_client

SPAN = {"domain": "example.test", "begin": 1_795_132_800, "end": 1_795_219_199}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in of the JMAP generation whose time stands still."""
    with jmap_stand_in() as standing:
        yield standing


@pytest.fixture
def client(server: StandIn) -> Iterator[httpx.Client]:
    """A client with the watcher's key."""
    with new_client(server.url) as made:
        made.headers.update(key(server))
        yield made


def only_report(client: httpx.Client, name: str) -> dict[str, Any]:
    """The report of the only object of its type."""
    (found,) = call(client, (f"x:{name}/get", {}))
    (row,) = found["list"]
    report = row["report"]
    assert isinstance(report, dict)
    return report


def receive_dmarc(server: StandIn) -> None:
    """A DMARC report arrives in which no list is empty."""

    def change(world: World) -> None:
        rows = [DmarcRow(source_ip="192.0.2.1", count=4)]
        stored = world.receive_dmarc(org="peer.test", report_id="r-1", rows=rows, **SPAN)
        stored.body["report"]["report_metadata"]["error"] = ["one", "two"]
        evaluated = stored.body["report"]["record"][0]["row"]["policy_evaluated"]
        evaluated["reason"] = [{"type_": "LocalPolicy", "comment": "arc=pass"}]
        stored.body["report"]["policy_published"]["fo"] = "0"

    server.call(change)


def test_a_dmarc_reports_errors_and_options_are_sets_and_the_rest_lists(server: StandIn, client: httpx.Client) -> None:
    """A set has its members as keys, a list its places."""
    receive_dmarc(server)

    report = only_report(client, "DmarcExternalReport")

    assert report["errors"] == {"one": True, "two": True}
    assert report["policyFailureReportingOptions"] == {"all": True}
    assert report["records"].keys() == {"0"}
    record = report["records"]["0"]
    assert record["policyOverrideReasons"] == {"0": {"overrideType": "LocalPolicy", "comment": "arc=pass"}}
    assert (record["dkimResults"].keys(), record["spfResults"].keys()) == ({"0"}, {"0"})


def test_a_feedback_reports_domains_uris_and_results_are_sets(server: StandIn, client: httpx.Client) -> None:
    """All three of them."""

    def change(world: World) -> None:
        stored = world.receive_arf(
            reporter="peer.test", feedback_type="Abuse", domain="example.test", source_ip="192.0.2.1", arrival=1
        )
        stored.body["report"] |= {"reported_uri": ["https://example.test/"], "authentication_results": ["dkim=pass"]}

    server.call(change)

    report = only_report(client, "ArfExternalReport")

    assert report["reportedDomains"] == {"example.test": True}
    assert report["reportedUris"] == {"https://example.test/": True}
    assert report["authenticationResults"] == {"dkim=pass": True}


def test_a_tls_reports_hosts_and_strings_are_sets_and_its_policies_and_failures_lists(
    server: StandIn, client: httpx.Client
) -> None:
    """Within each policy."""

    def change(world: World) -> None:
        policy = TlsPolicy(successes=3, failed=1, failures=(("certificate-expired", 1),))
        stored = world.receive_tls(org="peer.test", report_id="t-1", policies=[policy], **SPAN)
        stored.body["report"]["policies"][0]["policy"]["policy-string"] = ["version: STSv1"]

    server.call(change)

    policies = only_report(client, "TlsExternalReport")["policies"]

    assert policies.keys() == {"0"}
    assert policies["0"]["policyStrings"] == {"version: STSv1": True}
    assert policies["0"]["mxHosts"] == {"mx.example.test": True}
    assert policies["0"]["failureDetails"]["0"]["resultType"] == "certificateExpired"
