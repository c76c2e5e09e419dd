"""`/api/queue`: paging, filters, cursors and their traps, with a real and with a synthetic queue."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from exporter.simulator import ManualClock, Profile, World
from exporter.simulator.world.synthetic import BLOCK
from tests.support.replays.logins import ADMIN, serving

LIST = "/api/queue/messages"


def queue(client: httpx.Client, query: str = "") -> dict[str, Any]:
    """The list, for a query."""
    data: dict[str, Any] = client.get(f"{LIST}?{query}").json()["data"]
    return data


def submit_some(world: World) -> list[int]:
    """Seven deferred messages, oldest first."""
    ids = []
    for number in range(7):
        sender = "alice@example.test" if number % 2 else "bob@example.test"
        ids.append(world.submit([f"u{number}@defer.test"], sender=sender).queue_id)
        world.advance(1)
    return ids


def test_pages_begin_at_one_and_zero_alike() -> None:
    """`page` 0 and 1 are the first; the total is the whole queue, whatever is shown."""
    with serving() as (server, client):
        ids = server.call(submit_some)

        pages = [queue(client, f"limit=3&page={page}") for page in (0, 1, 2, 3, 4)]

    assert [page["items"] for page in pages] == [ids[:3], ids[:3], ids[3:6], ids[6:], []]
    assert {page["total"] for page in pages} == {7}


def test_max_total_stops_the_scan() -> None:
    """With `max-total` the total is a lower bound, and pages beyond it are short."""
    with serving() as (server, client):
        ids = server.call(submit_some)

        assert queue(client, "max-total=3") == {"items": ids[:3], "total": 3, "status": True}
        assert queue(client, "max-total=4&limit=3&page=2")["items"] == ids[3:4]
        assert queue(client, "max-total=0")["total"] == 7


def test_id_ranges_include_both_ends() -> None:
    """`range-start` and `range-end` bound the scan, as a cursor does."""
    with serving() as (server, client):
        ids = server.call(submit_some)

        assert queue(client, f"range-start={ids[2]}&range-end={ids[4]}")["items"] == ids[2:5]
        assert queue(client, f"range-start={ids[4] + 1}&limit=2&max-total=2")["items"] == ids[5:7]


def test_filters_search_addresses() -> None:
    """`text` looks at both sides and beats `from` and `to`, which must both match."""
    with serving() as (server, client):
        ids = server.call(submit_some)

        assert queue(client, "from=bob")["items"] == ids[::2]
        assert queue(client, "from=bob&to=u2@")["items"] == [ids[2]]
        assert queue(client, "text=u3&from=bob")["items"] == [ids[3]]
        assert queue(client, "text=U3")["items"] == []
        assert queue(client, "queue=remote")["total"] == 7
        assert queue(client, "queue=local")["total"] == 0
        assert queue(client, "queue=far-too-long")["total"] == 7


@pytest.mark.parametrize("query", ["filter=status:failed", "status=failed", "limit=", "limit=abc", "Limit=1", "text="])
def test_what_is_unknown_or_empty_is_ignored(query: str) -> None:
    """A typo never fails: it widens the result to the whole queue."""
    with serving() as (server, client):
        ids = server.call(submit_some)

        assert queue(client, query)["items"] == ids


def test_times_count_only_in_the_future() -> None:
    """`after` in the past lists everything; in the future it means the next attempt."""
    with serving() as (server, client):
        server.call(submit_some)
        soon, past = server.call(lambda world: (world.now() + 60, world.now() - 3600))

        def at(moment: float) -> str:
            from datetime import UTC, datetime

            return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        assert queue(client, f"after={at(past)}")["total"] == 7
        assert queue(client, f"after={at(soon)}")["total"] == 7
        assert queue(client, f"before={at(soon)}")["total"] == 0


def test_values_with_any_content_shows_objects() -> None:
    """`values=0` and `values=false` switch it on as well; `values=` does not."""
    with serving() as (server, client):
        server.call(submit_some)

        assert isinstance(queue(client, "values=0")["items"][0], dict)
        assert isinstance(queue(client, "values=")["items"][0], int)


def test_single_messages_are_found_by_exact_id() -> None:
    """One message by id; anything else is 404, a trailing slash included."""
    with serving() as (server, client):
        ids = server.call(submit_some)

        assert client.get(f"{LIST}/{ids[0]}").json()["data"]["id"] == ids[0]
        assert [client.get(f"{LIST}/{part}").status_code for part in ("1", "x", "")] == [404, 404, 404]


def test_queue_state_is_switched_and_told() -> None:
    """PATCH answers the state before; any word but `stop` resumes."""
    with serving(ADMIN) as (server, client):
        told = [client.patch(f"/api/queue/status/{word}").json()["data"] for word in ("stop", "stop", "nonsense")]

        assert told == [True, False, False]
        assert client.get("/api/queue/status").json() == {"data": True}
        assert server.harm_done == []


def test_retry_and_cancel_change_one_message() -> None:
    """PATCH makes a message due now and drops its time limit; DELETE removes it."""
    with serving(ADMIN, remote_queue="default") as (server, client):
        first, second, *_ = server.call(submit_some)

        assert client.patch(f"{LIST}/{first}").json() == {"data": True}
        assert "expires" not in client.get(f"{LIST}/{first}").json()["data"]["recipients"][0]
        assert client.delete(f"{LIST}/{second}").json() == {"data": True}
        assert client.get(f"{LIST}/{second}").status_code == 404
        assert client.delete(f"{LIST}/{second}").status_code == 404


def test_some_recipients_are_cancelled_by_address() -> None:
    """With `filter` only matching recipients fail, and the message goes with the last of them."""
    with serving(ADMIN, remote_queue="default") as (server, client):
        message = server.call(lambda world: world.submit(["a@defer.test", "b@defer.test"])).queue_id
        server.call(lambda world: world.tick())

        first = client.delete(f"{LIST}/{message}?filter=a@").json()
        recipients = client.get(f"{LIST}/{message}").json()["data"]["recipients"]
        last = client.delete(f"{LIST}/{message}?filter=b@").json()

        assert (first, last) == ({"data": True}, {"data": True})
        assert recipients[0]["status"] == {"perm_fail": "Error for localhost: Queue error: Delivery canceled."}
        assert "temp_fail" in recipients[1]["status"]
        assert queue(client)["total"] == 0


def test_retry_may_be_put_off() -> None:
    """`at` in the future is obeyed, in the past it means now."""
    with serving(ADMIN, remote_queue="default") as (server, client):
        first, *_ = server.call(submit_some)

        client.patch(f"{LIST}/{first}?at=2099-01-01T00:00:00Z")
        later = client.get(f"{LIST}/{first}").json()["data"]["recipients"][0]["next_retry"]
        client.patch(f"{LIST}/{first}?at=2001-01-01T00:00:00Z")
        at_once = client.get(f"{LIST}/{first}").json()["data"]["recipients"][0]["retry_num"]

    assert later == "2099-01-01T00:00:00Z"
    assert at_once == 2


def test_outgoing_reports_are_listed_and_built() -> None:
    """Ids by due time with `type` and `domain` filters; the type tag was capitalised in v0.10."""
    shown = {}
    for version in ("0.10.7", "0.15.5"):
        with serving(version=version) as (server, client):
            server.call(lambda world: (world.submit(["u@ok.test"]), world.receive(["bob@example.test"])))
            ids = client.get("/api/queue/reports").json()["data"]["items"]
            chosen = client.get("/api/queue/reports?type=tls&domain=OK").json()["data"]
            (tls,) = chosen["items"]
            shown[version] = client.get(f"/api/queue/reports/{tls}").json()["data"]["type"]
            assert client.get("/api/queue/reports/t!none!1!2!3").status_code == 404
            assert (len(ids), chosen["total"]) == (2, 1)

    assert shown == {"0.10.7": "Tls", "0.15.5": "tls"}


def test_bulk_delete_wipes_the_queue_and_is_noted_as_harm() -> None:
    """The bulk form knows no `filter`: everything goes, and the record of requests says who did it."""
    with serving(ADMIN) as (server, client):
        server.call(submit_some)

        assert client.delete(f"{LIST}?filter=u1").json() == {"data": True}
        assert queue(client)["total"] == 0
        assert [request.target for request in server.harm_done] == [f"{LIST}?filter=u1"]


def test_release_0_10_knows_no_queue_state() -> None:
    """Before v0.11 there is no such path, and no `status` in the list."""
    with serving(version="0.10.7") as (_, client):
        assert client.get("/api/queue/status").status_code == 404
        assert queue(client) == {"items": [], "total": 0}


@pytest.mark.parametrize("version", ["0.12.5", "0.15.5"])
def test_synthetic_queue_is_walked_by_cursor(version: str) -> None:
    """A cursor visits every synthetic message once, ascending, and then the real ones."""
    with serving(version=version) as (server, client):
        server.call(lambda world: world.synthetic_queue(1000))
        real = server.call(submit_some)
        seen: list[dict[str, Any]] = []
        start = 0
        while True:
            page = queue(client, f"values=1&limit=300&max-total=300&range-start={start}")["items"]
            seen += page
            if len(page) < 300:
                break
            start = page[-1]["id"] + 1

    ids = [message["id"] for message in seen]
    assert ids == sorted(set(ids))
    assert len(ids) == 1007
    assert ids[-7:] == real
    key = "domains" if version == "0.12.5" else "recipients"
    assert all(set(message) == set(seen[-1]) and key in message for message in seen)


def test_synthetic_messages_name_their_own_recipient() -> None:
    """The address in a failure text is that of the recipient, in each message."""
    world = World(Profile(), clock=ManualClock())
    synthetic = world.synthetic_queue(3 * BLOCK)

    messages = json.loads(b"[" + synthetic.page(7, 2 * BLOCK + 9, world.now(), nested=False) + b"]")

    assert len(messages) == 2 * BLOCK + 2
    for message in messages:
        (recipient,) = message["recipients"]
        text = recipient["status"].get("temp_fail", "") if isinstance(recipient["status"], dict) else ""
        assert "RCPT TO" not in text or f"RCPT TO:<{recipient['address']}>" in text
        assert message["created"] <= recipient["next_retry"]
    assert {"scheduled", "temp_fail"} == {
        status if isinstance(status, str) else next(iter(status))
        for message in messages
        for status in [message["recipients"][0]["status"]]
    }


def test_synthetic_queue_obeys_filters_and_single_look_ups() -> None:
    """Filters and single answers agree with the pages."""
    with serving() as (server, client):
        server.call(lambda world: world.synthetic_queue(500))
        everything = queue(client, "values=1")["items"]
        wanted = [m for m in everything if m["recipients"][0]["address"].endswith("@refused.test")]

        assert queue(client, "values=1&to=@refused.test")["items"] == wanted
        assert queue(client, "to=@refused.test&limit=2&page=2")["items"] == [m["id"] for m in wanted[2:4]]
        assert client.get(f"{LIST}/{wanted[0]['id']}").json()["data"] == wanted[0]
        assert queue(client, "limit=1")["total"] == 500


def test_a_million_messages_are_no_objects() -> None:
    """A page from the middle of a very long queue needs nothing but the page."""
    with serving() as (server, client):
        server.call(lambda world: world.synthetic_queue(1_000_000))

        page = queue(client, "values=1&limit=100&page=5000")

    assert page["total"] == 1_000_000
    assert len(page["items"]) == 100
    assert page["items"][0]["recipients"][0]["address"].startswith("u499900@")


def test_tenant_s_key_sees_only_its_domains() -> None:
    """A key bound to a tenant gets the messages from or to its domains."""
    with serving(("fenced", "secret")) as (server, client):
        server.call(submit_some)
        server.call(lambda world: world.submit(["x@refused.test"], sender="a@tenant.test"))
        server.call(
            lambda world: world.directory.add_key(
                "fenced", "secret", frozenset({"authenticate", "message-queue-list"}), ("tenant.test",)
            )
        )

        assert queue(client)["total"] == 1
