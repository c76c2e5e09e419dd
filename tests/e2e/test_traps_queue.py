"""The queue: walked by cursor in either shape, failures told by status, numbers exact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from exporter.simulator import StandIn, World
from exporter.simulator.directory import WATCHER_PERMISSIONS
from exporter.simulator.synthetic import SyntheticQueue
from tests.support.standin import (
    QUEUE_PATH,
    VERSIONS,
    WATCHER,
    after_polls,
    asked,
    community,
    fleet,
    wait_good,
    watching,
)

SHAPES = {f"mx-{version}": community(version) for version in VERSIONS}
FAILING = ("a@defer.test", "b@refused.test", "c@busy.test")
QUEUED = {
    "return_path": "alice@example.test",
    "created": "2026-01-15T10:30:00Z",
    "size": 100,
    "blob_hash": "h",
}
TIMES = {"next_retry": "2026-01-15T10:30:00Z", "next_notify": "2026-01-16T10:30:00Z", "expires": "2036-01-18T10:30:00Z"}


def queries(server: StandIn) -> list[dict[str, str]]:
    """The parameters of each reading of the queue list."""
    return [
        {name: values[-1] for name, values in parse_qs(urlsplit(request.target).query).items()}
        for request in asked(server, QUEUE_PATH)
    ]


def page(items: Iterable[dict[str, Any]]) -> str:
    """A page of the queue as a fault sends it."""
    listed = list(items)
    return json.dumps({"data": {"items": listed, "total": len(listed), "status": True}})


def flat(number: int, status: Any, *, address: str = "a@flat.test") -> dict[str, Any]:
    """A message as v0.13 and later show it."""
    return {
        **QUEUED,
        "id": number,
        "recipients": [{"address": address, "queue": "remote", "status": status, "retry_num": 1, **TIMES}],
    }


def nested(number: int, status: Any, *, address: str = "a@nested.test") -> dict[str, Any]:
    """A message as v0.12 and earlier show it."""
    domain = address.partition("@")[2]
    recipients = [{"address": address, "status": status}]
    return {
        **QUEUED,
        "id": number,
        "domains": [{"name": domain, "status": "scheduled", "recipients": recipients, "retry_num": 1, **TIMES}],
    }


def test_failing_recipients_are_told_by_their_status_from_one_reading(tmp_path: Path):
    """Servers ignore `filter=status:failed`: it is not sent, and the queue is read once for both collectors."""
    with fleet(tmp_path, SHAPES) as scenes:
        for scene in scenes.values():
            scene.mail("a@ok.test", "b@reject.test", *FAILING)
            scene.server.call(lambda world: world.pause_queue())
            scene.mail("later@ok.test")
        wait_good(scenes.values(), "queue", "failed")
        after_polls(scenes.values(), "queue", "failed")

        for name, scene in scenes.items():
            shown = scene.shown("stalwart_failed_deliveries", "kind")
            assert shown == {("temporary",): len(FAILING), ("permanent",): 1}, name
            assert scene.value("stalwart_queue_messages") == 2
            assert scene.value("stalwart_queue_running") == 0
            polls = scene.value("stalwart_exporter_collector_duration_seconds_count", collector="queue") or 0
            assert len(asked(scene.server, QUEUE_PATH)) <= polls + 1
            assert not any("filter" in query or "status" in query for query in queries(scene.server))


def test_both_shapes_give_the_same_numbers(tmp_path: Path):
    """The same mail in the nested and in the flat shape differs only by the names of virtual queues."""
    families = ("stalwart_queue_failures", "stalwart_queue_domain_recipients")
    with fleet(tmp_path, SHAPES) as scenes:
        for scene in scenes.values():
            scene.mail("a@ok.test", "b@reject.test", *FAILING, times=2)
        after_polls(scenes.values(), "queue")

        old, new = (scenes[f"mx-{version}"] for version in VERSIONS)
        assert old.shown(families[0], "status", "reason", "code") == new.shown(families[0], "status", "reason", "code")
        assert old.shown(families[1], "domain", "status") == new.shown(families[1], "domain", "status")
        assert old.shown("stalwart_queue_recipients", "status") == new.shown("stalwart_queue_recipients", "status")
        assert {queue for (queue,) in old.shown("stalwart_queue_recipients", "queue")} == {"default"}
        assert {queue for (queue,) in new.shown("stalwart_queue_recipients", "queue")} == {"remote"}


def test_the_shape_is_read_off_each_message(tmp_path: Path):
    """Messages of both shapes on one page, as no version sends them, are both counted; so is a status nobody knows."""
    failure = {"temp_fail": "Code: 451, Enhanced code: 4.7.1, Message: later"}
    items = [
        flat(1, "scheduled"),
        nested(2, failure),
        flat(3, {"half_delivered": "what"}),
        nested(4, "pondering"),
    ]
    with watching(tmp_path, community()) as scene:
        scene.server.faults.add("body", QUEUE_PATH, body=page(items))
        after_polls([scene], "queue", "failed")

        scene.wait_shown(
            "stalwart_queue_recipients",
            "queue",
            "status",
            wanted={
                ("remote", "scheduled"): 1,
                ("default", "temporary_failure"): 1,
                ("remote", "unknown"): 1,
                ("default", "unknown"): 1,
            },
        )
        scene.wait_shown("stalwart_failed_deliveries", "kind", wanted={("temporary",): 1})
        polls = scene.value("stalwart_exporter_collector_duration_seconds_count", collector="queue") or 0
        scene.wait_for(
            "stalwart_exporter_unknown_values_total", lambda n: n >= 2 * (polls - 1), field="recipient_status"
        )


class HighIds(SyntheticQueue):
    """A long queue whose ids no signed 64-bit number holds, let alone a float."""

    def id_at(self, number: int) -> int:
        return super().id_at(number) - super().id_at(0) + 2**63 + 12_345


def test_the_queue_is_walked_by_an_exact_cursor(tmp_path: Path):
    """Each page begins right after the last id of the one before, never by `page`, and none is longer than a bound."""
    messages = 5000

    def lengthen(world: World) -> HighIds:
        world.synthetic = HighIds(messages, world.now(), 1)
        return world.synthetic

    with watching(tmp_path, community(), every=30) as scene:
        queue = scene.server.call(lengthen)
        scene.reload()
        scene.wait_for("stalwart_queue_messages", messages)

        assert scene.value("stalwart_queue_truncated") == 0
        first, *others = last_walk(scene.server)
        assert "range-start" not in first
        number = int(first["limit"])
        for query in others:
            assert int(query["range-start"]) == queue.id_at(number - 1) + 1
            number += int(query["limit"])
        assert number >= messages
        assert len(others) >= 1
        assert all(int(q["max-total"]) == int(q["limit"]) <= 10_000 and "page" not in q for q in queries(scene.server))


def last_walk(server: StandIn) -> list[dict[str, str]]:
    """The parameters of the pages of the last walk."""
    pages = queries(server)
    return pages[max(index for index, query in enumerate(pages) if "range-start" not in query) :]


def test_a_queue_above_the_cap_is_truncated_and_says_so(tmp_path: Path):
    """The walk ends at the configured number of messages, at which every number stops."""
    with fleet(tmp_path, SHAPES, max_queue_messages=1500) as scenes:
        for scene in scenes.values():
            scene.server.call(lambda world: world.synthetic_queue(40_000))
        after_polls(scenes.values(), "queue")

        for scene in scenes.values():
            assert scene.value("stalwart_queue_truncated") == 1
            assert scene.value("stalwart_queue_messages") == 1500
            assert sum(scene.shown("stalwart_queue_recipients", "status").values()) == 1500
            longest = max(int(query["limit"]) for query in queries(scene.server))
            assert longest <= 2000
            scene.server.call(lambda world: setattr(world, "synthetic", None))
            scene.wait_for("stalwart_queue_truncated", 0)


def test_a_tenants_key_sees_its_own_domains(tmp_path: Path):
    """A key bound to a tenant is told the tenant's part of the queue, and that is what is shown."""

    def bind(world: World) -> None:
        world.directory.add_key("tenant", "tenant-secret", WATCHER_PERMISSIONS, ("defer.test",))

    with fleet(tmp_path, {"all": community(), "part": community()}) as scenes:
        for scene in scenes.values():
            scene.mail("a@defer.test", times=3)
            scene.mail("a@busy.test", times=4)
        scenes["part"].server.call(bind)
        config = scenes["part"].exporter.config_path
        login = [f'{key} = "{value}"\n' for key, value in zip(("username", "password"), WATCHER, strict=True)]
        before, mine, after = config.read_text().rpartition('name = "part"')
        mine += after.replace(login[0], 'username = "tenant"\n').replace(login[1], 'password = "tenant-secret"\n')
        config.write_text(before + mine)
        scenes["part"].reload()

        scenes["part"].wait_for("stalwart_queue_messages", 3)

        assert scenes["all"].value("stalwart_queue_messages") == 7
        assert scenes["part"].shown("stalwart_queue_domain_recipients", "domain") == {("defer.test",): 3}
