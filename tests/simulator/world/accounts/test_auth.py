"""Logging in, permissions, limits and the ban."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.replays.logins import ADMIN, NARROW, PROMETHEUS, WATCHER, bearer, new_client, serving, wait_until

STATUS = "/api/queue/status"


def test_basic_and_bearer_are_the_same_login() -> None:
    """An API key works either way, and upper case in its name does not matter."""
    with serving(None) as (_, client):
        assert client.get(STATUS, auth=WATCHER).status_code == 200
        assert client.get(STATUS, auth=("Watcher ", WATCHER[1])).status_code == 200
        assert client.get(STATUS, headers=bearer()).status_code == 200


def test_missing_permission_is_403_and_leaves_a_trace() -> None:
    """A 403 raises `security.unauthorized` with the permission in its details, which the answer does not tell."""
    with serving(NARROW) as (server, client):
        answer = client.get("/api/logs")

        line = server.call(lambda world: world.journal.log.read("security.unauthorized", 1, 1))["items"][0]

    assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert "logs-view" not in answer.text
    assert line["details"].endswith('details = "logs-view"')


def test_unknown_path_is_401_without_and_404_with_credentials() -> None:
    """Paths are not told to strangers; a 404 is counted."""
    with serving(None) as (server, client):
        assert client.get("/api/no/such").status_code == 401
        assert client.get("/api/no/such", auth=WATCHER).status_code == 404
        assert client.get("/nothing").status_code == 404
        assert server.call(lambda world: world.ledger.events["resource.not-found"]) == 2


@pytest.mark.parametrize(("version", "challenged"), [("0.11.8", False), ("0.12.5", True), ("0.15.5", False)])
def test_only_0_12_challenges_every_401(version: str, *, challenged: bool) -> None:
    """Elsewhere only malformed or invalid credentials are answered with `WWW-Authenticate`."""
    with serving(None, version=version) as (_, client):
        plain = client.get(STATUS)
        malformed = client.get(STATUS, headers={"authorization": "Bearer not-a-key"})

    assert ("www-authenticate" in plain.headers) is challenged
    assert len(malformed.headers.get_list("www-authenticate")) == 2


def test_logins_from_0_13_2_on_are_logged_one_by_one() -> None:
    """Each request is a login in new releases; older ones remember."""
    counts = {}
    for version in ("0.12.5", "0.13.1", "0.13.2", "0.15.5"):
        with serving(version=version) as (server, client):
            for _ in range(5):
                client.get(STATUS)
            counts[version] = server.call(lambda world: world.ledger.events["auth.success"])

    assert counts == {"0.12.5": 1, "0.13.1": 1, "0.13.2": 5, "0.15.5": 5}


def test_rotated_secret_ends_the_old_one() -> None:
    """After a rotation only the new secret opens."""
    with serving() as (server, client):
        server.call(lambda world: world.directory.rotate_secret("watcher", "new"))

        assert client.get(STATUS).status_code == 401
        assert client.get(STATUS, auth=("watcher", "new")).status_code == 200


def test_hundred_and_first_wrong_login_bans_the_address() -> None:
    """It is answered 429; from then on connections are closed without a byte, whatever the credentials."""
    with serving(("watcher", "wrong"), exempt_loopback=False) as (server, client):
        statuses = [client.get(STATUS).status_code for _ in range(100)]
        last = client.get(STATUS)

        with pytest.raises(httpx.TransportError), new_client(server.url, WATCHER) as other:
            other.get(STATUS)
        blocked = server.call(lambda world: world.ledger.events["security.ip-blocked"])

    assert set(statuses) == {401}
    assert (last.status_code, last.json()["title"]) == (429, "Too Many Authentication Attempts")
    assert blocked == 1


def test_lifted_ban_lets_the_address_in_again() -> None:
    """Only an operator ends a ban."""
    with serving(WATCHER, exempt_loopback=False) as (server, client):
        server.call(lambda world: world.ban("127.0.0.1"))
        with pytest.raises(httpx.TransportError):
            client.get(STATUS)

        server.call(lambda world: world.gate.lift("127.0.0.1"))

        assert client.get(STATUS).status_code == 200


def test_failures_are_forgotten_at_midnight() -> None:
    """The count is per UTC day."""
    with serving(("watcher", "wrong"), exempt_loopback=False) as (server, client):
        for _ in range(60):
            client.get(STATUS)
        server.advance(86_400)
        statuses = {client.get(STATUS).status_code for _ in range(60)}

    assert statuses == {401}


def test_loopback_is_exempt_unless_told_otherwise() -> None:
    """As on the real server, the machine itself is never banned nor limited as a stranger."""
    with serving(("watcher", "wrong")) as (_, client):
        statuses = {client.get(STATUS).status_code for _ in range(110)}

        healthy = {client.get("/healthz/live").status_code for _ in range(110)}

    assert statuses == {401}
    assert healthy == {200}


def test_bearer_counts_as_anonymous_where_logins_are_not_remembered() -> None:
    """From v0.13.2 on the 101st Bearer request of a minute is refused; Basic is not, and the next minute is open."""
    with serving(None, exempt_loopback=False) as (server, client):
        statuses = [client.get(STATUS, headers=bearer()).status_code for _ in range(101)]
        by_basic = client.get(STATUS, auth=WATCHER).status_code
        server.advance(60)
        next_minute = client.get(STATUS, headers=bearer()).status_code
    with serving(None, exempt_loopback=False, version="0.12.5") as (_, client):
        older = {client.get(STATUS, headers=bearer()).status_code for _ in range(110)}

    assert statuses == [200] * 100 + [429]
    assert (by_basic, next_minute, older) == (200, 200, {200})


def test_account_is_limited_per_minute() -> None:
    """Above the account's limit the answer is the other 429."""
    with serving(account_per_minute=20) as (_, client):
        answers = [client.get(STATUS) for _ in range(21)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert answers[-1].json()["title"] == "Too Many Requests"


def test_login_without_authenticate_permission_is_403() -> None:
    """A key without any permission cannot even log in."""
    with serving() as (server, client):
        server.call(lambda world: world.directory.grant("watcher", frozenset()))

        assert client.get(STATUS).status_code == 403


def test_oauth_tells_version_edition_and_permissions() -> None:
    """The one call that tells the version, from v0.11 on; it needs a permission of its own."""
    body = {"type": "code", "client_id": "exporter", "redirect_uri": None}
    with serving(ADMIN, edition="enterprise") as (_, client):
        told = client.post("/api/oauth", json=body).json()["data"]
        refused = client.post("/api/oauth", json=body, auth=WATCHER).status_code
        broken = client.post("/api/oauth", content=b"{").status_code
    with serving(ADMIN, version="0.10.7") as (_, client):
        oldest = client.post("/api/oauth", json=body).json()["data"]

    assert (told["version"], told["isEnterprise"]) == ("0.15.5", True)
    assert "message-queue-list" in told["permissions"]
    assert (refused, broken) == (403, 400)
    assert "version" not in oldest


def test_native_page_has_a_login_of_its_own() -> None:
    """An API key does not open it; a wrong login raises `auth.failed` and nothing else."""
    page = "/metrics/prometheus"
    with serving(exempt_loopback=False) as (server, client):
        statuses = [client.get(page, auth=auth).status_code for auth in (WATCHER, PROMETHEUS)]
        failed = server.call(lambda world: world.ledger.events["auth.failed"])
    with serving(None, native_login=None) as (_, client):
        opened = client.get(page).status_code
    with serving(None, native_page=False) as (_, client):
        off = client.get(page).status_code

    assert (statuses, failed, opened, off) == ([401, 200], 1, 200, 404)


def test_principals_show_secrets_unless_fields_are_named() -> None:
    """The trap of the principal list: only `fields` keeps the secrets out."""
    with serving(ADMIN) as (_, client):
        everything = client.get("/api/principal?types=individual,domain").json()["data"]
        named = client.get("/api/principal?types=individual&fields=name&limit=2").json()["data"]
        counted = client.get("/api/principal?types=individual&count=1").json()["data"]
        missing = client.get("/api/principal/nobody")

    assert any("secrets" in item for item in everything["items"])
    assert [set(item) for item in named["items"]] == [{"id", "type", "name"}] * 2
    assert (named["total"], counted) == (6, {"items": [], "total": 6})
    assert (missing.status_code, missing.json()) == (200, {"error": "notFound", "item": "nobody"})


@pytest.mark.parametrize("path", ["/api/reload", "/api/store/purge/blob", "/api/update/spam-filter", "/api/reload/"])
def test_harmful_gets_are_recorded(path: str) -> None:
    """GETs that change things work, and the record of requests shows them as harm."""
    with serving(ADMIN) as (server, client):
        assert client.get(path).json() == {"data": None}
        assert [request.path for request in server.harm_done] == [path]


def test_too_many_requests_at_once_are_a_400() -> None:
    """The concurrency limit of an account is not a 429."""
    with serving(concurrent_requests=2) as (server, client), ThreadPoolExecutor(3) as pool:
        server.hang()
        asked = [pool.submit(client.get, STATUS) for _ in range(3)]
        wait_until(lambda: len(server.requests) == 3)

        server.resume()
        answers = [future.result() for future in asked]

    refused = [answer.json() for answer in answers if answer.status_code == 400]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 400]
    assert refused[0]["limit"] == "maxConcurrentRequests"
