"""Who gets in where the JMAP generation is, what limits there are, and how an upgrade to it looks from outside."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from exporter.simulator import Profile, StandIn
from exporter.simulator.world.ids import encode_id
from tests.support.replays.lab_jmap import USING, basic, call, do, jmap_stand_in, key
from tests.support.replays.logins import WATCHER, bearer, new_client

QUERY = ["x:QueuedMessage/query", {"limit": 1}, "q"]
ADMIN = basic("admin", "lab-admin-secret")


def post(client: httpx.Client, server: StandIn, **options: Any) -> httpx.Response:
    """One call with the watcher's key."""
    settings: dict[str, Any] = {"json": {"using": USING, "methodCalls": [QUERY]}, "headers": key(server)}
    return client.post("/jmap/", **(settings | options))


def failures(server: StandIn) -> int:
    """How many logins count as failed."""
    return server.call(lambda world: world.journal.counters.counters.get("auth.failed", 0))


@pytest.mark.parametrize(
    "header", [{}, {"authorization": "Bearer nonsense"}, bearer(*WATCHER), {"authorization": "X y"}]
)
def test_what_is_no_login_never_leads_to_a_ban(header: dict[str, str]) -> None:
    """No header, other tokens and keys of v0.15 are refused, however often, and nobody is banned."""
    with jmap_stand_in(exempt_loopback=False, ban_after_failures=2, anonymous_per_minute=50) as server:
        with new_client(server.url) as client:
            statuses = {client.get("/api/account", headers=header).status_code for _ in range(5)}

        assert statuses == {401}
        assert server.call(lambda world: world.gate.banned) == set()


def test_wrong_keys_count_and_ban_the_address() -> None:
    """Above the limit a login is answered 429, then connections end without a byte; its ban is listed."""
    with jmap_stand_in(exempt_loopback=False, ban_after_failures=3) as server, new_client(server.url) as client:
        wrong = key(server, secret="not-the-secret")

        statuses = [client.get("/api/account", headers=wrong).status_code for _ in range(4)]

        assert statuses == [401, 401, 401, 429]
        with pytest.raises(httpx.TransportError):
            client.get("/api/account", headers=wrong)
        server.call(lambda world: setattr(world.gate, "profile", Profile(version="0.16.18")))
        blocked = call(client, ("x:BlockedIp/get", {"ids": None}), headers=key(server))[0]["list"]
        assert [(one["address"], one["reason"], one["expiresAt"]) for one in blocked] == [
            ("127.0.0.1", "authFailure", None)
        ]


def test_a_name_and_password_opens_what_its_key_opens() -> None:
    """The owner of the keys may log in by password; the other keys are no accounts."""
    with jmap_stand_in() as server, new_client(server.url) as client:
        names = ("watcher", "watcher@example.test", "narrow")
        secrets = ("lab-watcher-secret", "lab-watcher-secret", "lab-narrow-secret")

        statuses = [
            client.get("/api/account", headers=basic(name, secret)).status_code
            for name, secret in zip(names, secrets, strict=True)
        ]

    assert statuses == [200, 200, 401]


def test_a_withdrawn_permission_is_an_error_of_the_call() -> None:
    """Permissions may be named in the words of either generation; without one the call is forbidden."""
    with jmap_stand_in() as server, new_client(server.url) as client:
        granted = frozenset({"authenticate", "message-queue-list", "sysLogGet"})
        server.call(lambda world: world.directory.grant("watcher", granted))

        account = client.get("/api/account", headers=key(server)).json()
        answers = call(client, ("x:QueuedMessage/query", {}), ("x:Log/query", {}), headers=key(server))

    assert account["permissions"] == ["authenticate", "sysLogGet", "sysQueuedMessageQuery"]
    assert [answer.get("type") for answer in answers] == [None, "forbidden"]


def test_without_the_permission_to_log_in_everything_is_forbidden() -> None:
    """A key that lacks `authenticate` gets 403 for its account too."""
    with jmap_stand_in() as server, new_client(server.url) as client:
        server.call(lambda world: world.directory.grant("watcher", frozenset({"sysLogGet"})))

        assert post(client, server).status_code == 403


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"json": {"using": USING, "methodCalls": [QUERY] * 17}}, {"limit": "maxCallsInRequest"}),
        ({"json": None, "content": b" " * 10_000_001}, {"limit": "maxSizeRequest"}),
        ({"json": {"using": ["urn:no:such"], "methodCalls": []}}, {"type": "urn:ietf:params:jmap:error:notRequest"}),
        ({"json": {"methodCalls": 5}}, {"type": "urn:ietf:params:jmap:error:notRequest"}),
        ({"json": None, "content": b"[[["}, {"detail": "[[["}),
    ],
)
def test_a_request_beyond_the_protocol_is_a_problem(options: dict[str, Any], problem: dict[str, str]) -> None:
    """Too many calls, too many bytes, unknown capabilities and other JSON are status 400 with the reason."""
    with jmap_stand_in() as server, new_client(server.url) as client:
        response = post(client, server, **options)

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json().items() >= problem.items()
    assert "title" not in response.json()


@pytest.mark.parametrize(("version", "status"), [("0.16.9", 200), ("0.16.10", 400)])
def test_other_content_types_are_refused_since_0_16_10(version: str, status: int) -> None:
    """The body is read whatever it claims to be, up to v0.16.9."""
    body = json.dumps({"using": USING, "methodCalls": [QUERY]})
    with jmap_stand_in(version=version) as server, new_client(server.url) as client:
        headers = key(server) | {"content-type": "text/plain"}

        response = post(client, server, json=None, content=body, headers=headers)

    assert response.status_code == status


def test_the_minute_of_an_account_is_limited_and_says_for_how_long() -> None:
    """Above the limit a request is 429, with the headers that tell when to come back."""
    with jmap_stand_in(account_per_minute=2) as server, new_client(server.url) as client:
        responses = [post(client, server) for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert 0 < int(responses[-1].headers["retry-after"]) <= 60
    assert responses[-1].headers["ratelimit-policy"] == '"requests";q=2'


@pytest.mark.parametrize(("version", "repaired"), [("0.16.18", True), ("0.16.12", True), ("0.16.11", False)])
def test_the_schema_tells_whether_counter_names_were_repaired(version: str, repaired: bool) -> None:
    """The redirect names the fingerprint, and the packed schema lists what only a repaired release can emit."""
    with jmap_stand_in(version=version) as server, new_client(server.url) as client:
        link = client.get("/api/schema", headers=key(server))
        with client.stream("GET", link.headers["location"], headers=key(server)) as packed:
            schema = json.loads(gzip.decompress(b"".join(packed.iter_raw())))

    names = {kind: {one["name"] for one in values} for kind, values in schema["enums"].items()}
    assert link.status_code == 302
    assert ("smtp.dkim2-pass" in names["MetricType"]) is repaired
    assert ("Dkim2RsaSha256" in names["DkimSignatureType"]) is repaired
    assert "queue.message-queued" in names["EventType"]


def test_only_the_administrator_pauses_the_queue() -> None:
    """The action takes effect for the administrator, is forbidden to the watcher, and both are on record as harm."""
    pause = ("x:Action/set", {"create": {"k": {"@type": "PauseMtaQueue"}}})
    with jmap_stand_in() as server, new_client(server.url) as client:
        refused = call(client, pause, headers=key(server))
        still_running = server.call(lambda world: world.running)
        done = call(client, pause, headers=ADMIN)

        assert refused[0]["type"] == "forbidden"
        assert still_running
        assert done[0]["created"].keys() == {"k"}
        assert not server.call(lambda world: world.running)
        assert [(request.identity, request.calls) for request in server.harm_done] == [
            ("watcher", ("x:Action/set",)),
            ("admin", ("x:Action/set",)),
        ]


def test_an_upgrade_turns_rest_into_jmap_on_the_same_port() -> None:
    """The queue stays, counters begin anew, REST is gone, and keys of the old generation are refused."""
    with StandIn(Profile(version="0.15.5")) as server, new_client(server.url) as client:
        do(server, lambda world: world.submit(["u@defer.test"]), lambda world: world.tick())
        before = client.get("/api/queue/messages", headers=bearer(*WATCHER)).json()["data"]["items"]

        server.upgrade("0.16.18")

        assert client.get("/api/queue/status").status_code == 404
        assert client.get("/api/account", headers=bearer(*WATCHER)).status_code == 401
        after = call(client, ("x:QueuedMessage/query", {}), ("x:QueuedMessage/get", {"ids": None}), headers=key(server))
        assert len(before) == len(after[0]["ids"]) == len(after[1]["list"]) == 1
        assert server.call(lambda world: world.journal.counters.counters.get("delivery.attempt-start", 0)) == 0
        assert server.call(lambda world: world.ledger.events["delivery.attempt-start"]) == 1
        assert failures(server) == 1
        server.upgrade("0.15.5")
        assert client.get("/api/queue/messages", headers=bearer(*WATCHER)).json()["data"]["items"] == before


def _set(**changes: object) -> tuple[str, dict[str, object]]:
    return "x:QueuedMessage/set", changes


def test_an_administrator_retries_and_cancels_queued_messages() -> None:
    """As recorded: `updated` and `destroyed` name what was done, `not…` what is unknown, unreadable id nothing."""
    past = {"nextRetry": "2000-01-01T00:00:00Z"}
    with jmap_stand_in() as server, new_client(server.url) as client:
        do(server, lambda world: world.submit(["u@defer.test"]), lambda world: world.tick())
        message = server.call(lambda world: next(iter(world.queue.messages)))
        id_ = encode_id(message)

        refused = call(client, _set(update={id_: past}), headers=key(server))
        retried = call(client, _set(update={id_: past, "aaaaaaaaaaaa": past, "!!": past}), headers=ADMIN)
        due = server.call(lambda world: world.queue.messages[message].recipients[0].next_retry <= world.now())
        bad = call(client, _set(update={id_: {"nextRetry": "tomorrow"}}), headers=ADMIN)
        gone = call(client, _set(destroy=[id_, "a"]), headers=ADMIN)

    assert refused[0]["type"] == "forbidden"
    assert (retried[0]["updated"], retried[0]["notUpdated"]) == ({id_: None}, {"a": {"type": "notFound"}})
    assert due
    assert bad[0]["notUpdated"][id_]["type"] == "invalidPatch"
    assert (gone[0]["destroyed"], gone[0]["notDestroyed"]) == ([id_], {"a": {"type": "notFound"}})


def test_before_0_16_9_a_retry_is_accepted_and_does_nothing() -> None:
    """The answer is the same, and the recipient waits as before."""
    with StandIn(Profile(version="0.16.8")) as server, new_client(server.url) as client:
        do(server, lambda world: world.submit(["u@defer.test"]), lambda world: world.tick())
        message = server.call(lambda world: next(iter(world.queue.messages)))
        before = server.call(lambda world: world.queue.messages[message].recipients[0].next_retry)

        patch = {encode_id(message): {"nextRetry": "2000-01-01T00:00:00Z"}}
        answer = call(client, _set(update=patch), headers=ADMIN)

        assert answer[0]["updated"] == {encode_id(message): None}
        assert server.call(lambda world: world.queue.messages[message].recipients[0].next_retry) == before
