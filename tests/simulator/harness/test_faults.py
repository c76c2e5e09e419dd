"""Faults on demand, as a client meets them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.replays.logins import serving, wait_until

STATUS = "/api/queue/status"
LIST = "/api/queue/messages"


@pytest.mark.parametrize(
    ("kind", "settings", "status"),
    [
        ("status", {"status": 401}, 401),
        ("status", {"status": 403}, 403),
        ("status", {"status": 429}, 429),
        ("status", {"status": 500}, 500),
        ("status", {"status": 503}, 503),
        ("ban-warning", {}, 429),
        ("html", {}, 502),
        ("redirect", {}, 302),
        ("empty", {}, 200),
        ("error-200", {}, 200),
        ("body", {"status": 418, "body": "[]"}, 418),
    ],
)
def test_replaced_answers_strike_as_often_as_told(kind: str, settings: dict[str, object], status: int) -> None:
    """A fault strikes its path the given number of times, and then the server is itself again."""
    with serving() as (server, client):
        number = server.faults.add(kind, STATUS, times=2, **settings)

        answers = [client.get(STATUS) for _ in range(3)]
        other = client.get(LIST).status_code

        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert answers[-1].json() == {"data": True}
        assert (other, server.faults.struck(number)) == (200, 2)


def test_titles_tell_the_two_429_apart() -> None:
    """One is the rate limit, the other the ban."""
    with serving() as (server, client):
        server.faults.add("status", status=429, times=1)
        server.faults.add("ban-warning", times=1)

        titles = [client.get(STATUS).json()["title"] for _ in range(2)]

    assert titles == ["Too Many Requests", "Too Many Authentication Attempts"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("close", httpx.RemoteProtocolError), ("cut", httpx.RemoteProtocolError), ("garbage", httpx.RemoteProtocolError)],
)
def test_broken_connections_are_errors_of_the_transport(kind: str, error: type[Exception]) -> None:
    """Closing before a byte, in the middle of a body, or after garbage; the next request is served again."""
    with serving() as (server, client):
        server.faults.add(kind, times=1)

        with pytest.raises(error):
            client.get(STATUS)

        assert client.get(STATUS).status_code == 200


def test_truncated_json_is_a_whole_answer_with_half_a_body() -> None:
    """HTTP is content, JSON is not."""
    with serving() as (server, client):
        whole = client.get(LIST).content
        server.faults.add("truncated-json", times=1)

        half = client.get(LIST)

    assert (half.status_code, half.content) == (200, whole[: len(whole) // 2])


def test_wrong_types_keep_the_keys() -> None:
    """Every value has another type than the contract says."""
    with serving() as (server, client):
        server.call(lambda world: world.submit(["u@defer.test"]))
        server.faults.add("wrong-types", times=1)

        data = client.get(f"{LIST}?values=1").json()["data"]

    assert (data["total"], data["status"]) == ("1", "yes")
    assert data["items"][0]["return_path"] == 7
    assert isinstance(data["items"][0]["id"], str)


def test_huge_body_is_streamed() -> None:
    """As many megabytes as asked for, of valid JSON."""
    with serving() as (server, client):
        server.faults.add("huge", megabytes=3, times=1)

        body = client.get(LIST).content

    assert 3_000_000 < len(body) < 3_300_000
    assert body.endswith(b'],"total":1}}')


def test_drip_and_delay_bring_the_right_answer_late() -> None:
    """Slow answers are answers."""
    with serving() as (server, client):
        server.faults.add("drip", seconds=0.001, times=1)
        server.faults.add("delay", seconds=0.01, times=1)

        assert [client.get(STATUS).json() for _ in range(2)] == [{"data": True}] * 2


def test_hanging_request_is_received_and_never_answered() -> None:
    """The client's patience decides; the record shows the request without a status."""
    with serving() as (server, client):
        server.faults.add("hang", times=1)

        with pytest.raises(httpx.ReadTimeout):
            client.get(STATUS, timeout=0.2)

        assert [(request.path, request.status) for request in server.requests] == [(STATUS, None)]


def test_faults_choose_by_method_query_and_number() -> None:
    """A fault may spare other methods, other queries and the first few requests."""
    with serving() as (server, client):
        server.faults.add("status", "/api/queue/*", method="GET", query="page=2", skip=1, status=500, times=1)

        statuses = [client.get(f"{LIST}?page={page}").status_code for page in (1, 2, 2, 2)]

    assert statuses == [200, 200, 500, 200]


def test_removed_faults_do_not_strike() -> None:
    """A fault can be disarmed, and all of them at once."""
    with serving() as (server, client):
        number = server.faults.add("status", status=500)
        before = client.get(STATUS).status_code
        struck = server.faults.remove(number)
        server.faults.add("status", status=500)
        server.faults.clear()

        assert (before, struck, client.get(STATUS).status_code) == (500, 1, 200)


def test_hung_server_answers_everything_after_it_resumes() -> None:
    """Requests wait while the whole server hangs, and are answered in the end."""
    with serving() as (server, client), ThreadPoolExecutor(1) as pool:
        server.hang()
        waiting = pool.submit(client.get, STATUS)
        wait_until(lambda: len(server.requests) == 1)
        unanswered = not waiting.done()

        server.resume()

        assert unanswered
        assert waiting.result().status_code == 200


def test_closed_port_refuses_and_opens_again_at_the_same_place() -> None:
    """While it does not listen, connections are refused; afterwards the same address works."""
    with serving() as (server, client):
        client.get(STATUS)
        url = server.url
        server.stop_listening()
        with pytest.raises(httpx.TransportError):
            client.get(STATUS)

        server.start_listening()

        assert server.url == url
        assert client.get(STATUS).status_code == 200


def test_restarted_server_counts_anew() -> None:
    """Connections drop, counters begin at zero, and the request after it is served."""
    with serving() as (server, client):
        server.call(lambda world: world.submit(["u@ok.test"]))
        client.get(STATUS)
        before = server.call(lambda world: dict(world.journal.counters.counters))

        server.restart()
        client.get(STATUS)
        after = server.call(lambda world: dict(world.journal.counters.counters))

    assert before["delivery.attempt-start"] == 1
    assert "delivery.attempt-start" not in after
    assert after["http.connection-start"] == 1
