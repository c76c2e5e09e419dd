"""The accounts of a server of either generation: what is added up, what it costs, and that no secret is read."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from exporter.app.servers.connection import ServerConnection, connect
from exporter.clock import SystemClock
from exporter.errors import PayloadError, TargetForbidden
from exporter.model.inventory import FULLEST_KEPT, AccountFeature, AccountKind, AccountSums, DomainUsage, QuotaUse
from exporter.model.server import Capability, CapabilityStatus
from exporter.settings import ServerSettings
from exporter.simulator import StandIn, World
from exporter.stalwart.common.account_sums import AccountFold, AccountRow
from exporter.stalwart.common.probe import Examination
from exporter.stalwart.jmap.probe import examine
from exporter.stalwart.rest.accounts import parse_accounts
from tests.support.paths import RECORDINGS
from tests.support.replays.jmap import JmapServer
from tests.support.replays.jmap_client import asked
from tests.support.standin import WATCHER, community

VERSIONS = ("0.12.5", "0.15.5", "0.16.18")
GRANTED = ("sysMailingListQuery",)
PEOPLE = ("alice", "bob", "dmarc", "tls", "abuse", "postmaster")


def recorded(version: str) -> list[dict[str, Any]]:
    """What a real server answered about its accounts."""
    return list(json.loads((RECORDINGS / version / "accounts.json").read_text()))


def grant(world: World, *permissions: str) -> None:
    """Lets the watcher's key read more."""
    account = world.directory.accounts["watcher"]
    held = frozenset({*(account.permissions or ()), *permissions})
    world.directory.accounts["watcher"] = replace(account, permissions=held)


async def _connected(server: StandIn) -> ServerConnection:
    jmap = server.call(lambda world: world.profile.jmap)
    login = {"token": server.api_key()} if jmap else {"username": WATCHER[0], "password": WATCHER[1]}
    settings = ServerSettings.model_validate({"url": server.url, "max_requests_per_minute": 1000, **login})
    connection = connect(settings, clock=SystemClock(), observer=None)
    await connection.detector.detect()
    return connection


def read(server: StandIn, times: int = 1) -> AccountSums:
    """The sums of the last of so many walks."""

    async def run() -> AccountSums:
        connection = await _connected(server)
        try:
            for _ in range(times - 1):
                await connection.client.fetch_accounts()
            return await connection.client.fetch_accounts()
        finally:
            await connection.aclose()

    return asyncio.run(run())


def life(world: World) -> None:
    """Users with and without quotas in two domains, a group and a list."""
    grant(world, *GRANTED)
    add = world.directory.add_person
    add("full", secret="s", quota=1000, used_quota=1000, second_factor=True)
    add("nine", secret="s", email="nine@two.test", quota=1000, used_quota=900, application_passwords=2)
    add("eight", secret="s", email="eight@TWO.test", quota=1000, used_quota=850, encryption="Aes256")
    add("over", secret="s", email="over@two.test", quota=100, used_quota=300)
    add("free", secret="s", email="free@two.test", used_quota=5000)
    add("sales", kind="group", used_quota=7)
    add("team", kind="list")


@pytest.mark.parametrize("version", VERSIONS)
def test_accounts_are_added_up_by_kind_domain_and_quota(version: str) -> None:
    """Domains in one spelling; who has used more than its quota counts at every threshold."""
    with StandIn(community(version)) as server:
        server.call(life)
        sums = read(server)
        ids = server.call(lambda world: world.directory.accounts["over"].account_id)

    people = len(PEOPLE) + 5 + version.startswith("0.16")
    assert sums.kinds == {AccountKind.USER: people, AccountKind.GROUP: 1, AccountKind.LIST: 1}
    assert sums.domains["two.test"] == DomainUsage(limited=2050, unlimited=5000, quota=2100)
    assert sums.domains["example.test"] == DomainUsage(limited=1000, unlimited=0, quota=1000)
    assert sums.at_threshold == {0.8: 4, 0.9: 3, 1.0: 2}
    assert [(use.used, use.quota) for use in sums.fullest] == [(300, 100), (1000, 1000), (900, 1000), (850, 1000)]
    assert version.startswith("0.16") or sums.fullest[0].account_id == str(ids)
    assert not sums.truncated


def test_features_are_counted_where_the_server_masks_secrets() -> None:
    """Of users, however many passwords or keys one has."""
    with StandIn(community("0.16.18")) as server:
        server.call(life)
        features = read(server).features

    assert features == {
        AccountFeature.PASSWORD: len(PEOPLE) + 6,
        AccountFeature.SECOND_FACTOR: 1,
        AccountFeature.APPLICATION_PASSWORD: 1,
        AccountFeature.API_KEY: 1,
        AccountFeature.ENCRYPTION_AT_REST: 1,
    }


@pytest.mark.parametrize("version", ["0.12.5", "0.15.5"])
def test_older_servers_are_asked_for_no_secret(version: str) -> None:
    """Which their features would be; every request names fields, and no answer has one of the passwords."""
    with StandIn(community(version)) as server:
        server.call(life)
        sums = read(server)
        targets = [request.target for request in server.requests if request.path == "/api/principal"]

    assert sums.features is None
    assert len(targets) == 3
    assert all("fields=" in target and "secrets" not in target for target in targets)


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_ten_thousand_accounts_cost_at_most_ten_requests(version: str) -> None:
    """Each of them once, whatever page it is on."""

    def crowd(world: World) -> None:
        grant(world, *GRANTED)
        first = world.directory.add_person("u0", quota=10, used_quota=1)
        for number in range(1, 10_000):
            name = f"u{number}"
            one = replace(
                first, name=name, account_id=first.account_id + number, emails=(f"{name}@d{number % 3}.test",)
            )
            world.directory.accounts[name] = one

    with StandIn(community(version)) as server:
        server.call(crowd)
        before = len(server.requests)
        sums = read(server)
        requests = len(server.requests) - before

    users = 10_000 + len(PEOPLE) + version.startswith("0.16")
    assert sums.kinds[AccountKind.USER] == users
    assert sum(usage.limited for usage in sums.domains.values()) == 10_000
    assert sums.domains["d1.test"].quota == 33_330
    assert len(sums.fullest) == FULLEST_KEPT
    assert requests <= 10 + 3  # which detection takes, once


def test_doctor_reads_one_page_of_them() -> None:
    """One request shows whether the key may read them; the others of the crowd are left alone."""

    def crowd(world: World) -> None:
        for number in range(600):
            world.directory.add_person(f"u{number}")

    async def run() -> Examination:
        connection = await _connected(server)
        try:
            identity = await connection.jmap.identify()
            everything_else = [one for one in Capability if one is not Capability.ACCOUNTS]
            return await examine(connection.jmap, identity, leave_out=everything_else)
        finally:
            await connection.aclose()

    with StandIn(community("0.16.18")) as server:
        server.call(crowd)
        found = asyncio.run(run())
        walks = [one for one in server.requests if "x:Account/get" in one.calls]

    assert found.statuses[Capability.ACCOUNTS] is CapabilityStatus.AVAILABLE
    assert len(walks) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_without_the_permission_is_refused(version: str) -> None:
    """On v0.16 without a request."""
    with StandIn(community(version)) as server:
        server.call(lambda world: world.directory.grant("watcher", frozenset({"authenticate"})))

        with pytest.raises(TargetForbidden):
            read(server)


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_groups_and_lists_that_the_key_may_not_read_are_absent(version: str) -> None:
    """And requested once, not at each walk."""
    with StandIn(community(version)) as server:
        server.call(lambda world: world.directory.grant("watcher", frozenset({"authenticate", "individual-list"})))
        sums = read(server, times=3)
        lists = ("types=group", "types=list")
        refused = [r.target for r in server.requests if r.status == 403 and any(name in r.target for name in lists)]

    assert AccountKind.LIST not in sums.kinds
    assert sums.kinds[AccountKind.USER] >= len(PEOPLE)
    assert len(refused) == (0 if version.startswith("0.16") else 2)


def test_a_page_with_secrets_is_not_read() -> None:
    """A server that knows none of the fields sends everything; what it sent is in no message."""
    [page] = [row["body"] for row in recorded("ops-0.15.5") if "fields=usedquota" in row["path"]]

    with pytest.raises(PayloadError) as caught:
        parse_accounts(json.dumps(page).encode())

    assert "lab-password" not in str(caught.value)


def test_the_recorded_rest_server_is_added_up() -> None:
    """Whole, and page by page: absent numbers are zero, and the pages have no account twice."""
    whole = [row for row in recorded("ops-0.15.5") if row["path"].endswith("fields=name,emails,quota,usedQuota")]
    rows, total = parse_accounts(json.dumps(whole[0]["body"]).encode())
    fold = AccountFold()
    fold.feed(rows)
    sums = fold.finish({}, truncated=False)

    assert (len(rows), total) == (20, 20)
    assert sums.domains["example.test"] == DomainUsage(limited=0, unlimited=78_113, quota=1500)
    assert sums.domains["two.test"].quota > 0
    assert sums.at_threshold[1.0] == 0
    assert {use.used for use in sums.fullest} == {0}


def test_the_recorded_jmap_server_is_added_up() -> None:
    """With the second factor, the application password and the key of the lab, and one mailbox that is encrypted."""
    server = JmapServer.recorded()
    for row in recorded("ops-0.16.18"):
        for method, result, _ in row["body"]["methodResponses"]:
            if method in ("x:Account/get", "x:MailingList/get"):
                merge(server.rows.setdefault(method[2:-4], []), result["list"])
    server.rows["Account"] = [row for row in server.rows["Account"] if row.get("@type") in ("User", "Group")]
    server.account["permissions"] = [*server.account["permissions"], "sysMailingListQuery"]

    sums = asked(server, lambda client: client.fetch_accounts())

    assert sums.kinds == {AccountKind.USER: 22, AccountKind.GROUP: 1, AccountKind.LIST: 1}
    assert sums.features == {
        AccountFeature.PASSWORD: 9,
        AccountFeature.SECOND_FACTOR: 1,
        AccountFeature.APPLICATION_PASSWORD: 1,
        AccountFeature.API_KEY: 2,
        AccountFeature.ENCRYPTION_AT_REST: 1,
    }
    assert sums.domains["example.test"].unlimited >= 66_839 + 21_647
    assert [use.quota for use in sums.fullest if use.quota == 1500] == [1500]


def merge(rows: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    """Adds what another answer shows of the same objects."""
    by_id = {row["id"]: row for row in rows}
    for row in more:
        if row["id"] in by_id:
            by_id[row["id"]].update(row)
        else:
            rows.append(dict(row))


def test_numbers_out_of_range_stay_in_it() -> None:
    """A counter below zero is none, and no number is too large to be exported."""
    body = {"data": {"items": [{"id": 1, "usedQuota": -5, "quota": 2**80, "emails": ["x@a b"]}], "total": 1}}
    rows, _ = parse_accounts(json.dumps(body).encode())

    assert rows == [AccountRow(account_id="1", address="x@a b", used=0, quota=2**63 - 1)]


def test_only_the_fullest_are_kept() -> None:
    """In descending order of the share."""
    fold = AccountFold()
    rows = [AccountRow(account_id=str(n), address="", used=n, quota=10_000) for n in range(FULLEST_KEPT + 5)]
    fold.feed(rows)

    fullest = fold.finish({}, truncated=False).fullest

    assert len(fullest) == FULLEST_KEPT
    assert fullest[0] == QuotaUse(account_id=str(FULLEST_KEPT + 4), used=FULLEST_KEPT + 4, quota=10_000)
    assert [use.used for use in fullest] == sorted((use.used for use in fullest), reverse=True)
