"""The stand-in against the recordings of real servers, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from exporter.simulator import StandIn
from exporter.simulator.world.accounts.directory import WATCHER_PERMISSIONS
from tests.support.replays.lab import LABS, Lab, authorization, fill, play, stand_in
from tests.support.replays.logins import new_client
from tests.support.replays.shapes import differences

# Which recorded list tells the ids that later rows ask for one by one.
LISTS = ("/api/queue/messages", "/api/queue/reports", "/api/reports/dmarc", "/api/reports/tls", "/api/reports/arf")

# Not moved by mail, or not simulated to the number: memory, sizes of header blocks, time spent, work of the store. The
# real server also made one attempt that found nothing due, when two virtual queues of a message crossed.
INCOMPARABLE = re.compile(r"server_memory|store_|resource_error|.*_sum|.*_bucket|delivery_attempt_(start|time_count)")

KEY = re.compile(r"(?:^|, |\{ )(\w+) = ")

pytestmark = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


class Replay:
    """A stand-in in the state of the recording, with the recorded requests sent to it up to some row."""

    def __init__(self, server: StandIn, lab: Lab) -> None:
        self.lab = lab
        self.rows = lab.rows
        self.client = new_client(server.url)
        fill(server, lab)
        server.call(lambda world: play(world, lab))
        recorded = WATCHER_PERMISSIONS - {"individual-list", "group-list", "mailing-list-list"}
        server.call(lambda world: world.directory.grant("watcher", recorded))
        self._ids: dict[str, str] = {}

    def ask(self, row: dict[str, Any]) -> httpx.Response:
        """Send a recorded request, with our ids in place of the recorded ones."""
        path = row["path"]
        for recorded, ours in self._ids.items():
            path = path.replace(f"/{recorded}", f"/{ours}")
        return self.client.request(row["method"], path, headers=authorization(row["as"]), json=row.get("request"))

    def pair_ids(self) -> None:
        """Pair the recorded ids with ours, in the order of the lists."""
        for path in LISTS:
            row = next(row for row in self.rows if row["path"] == path and row["status"] == 200)
            theirs, mine = row["body"]["data"]["items"], self.ask(row).json()["data"]["items"]
            assert len(theirs) == len(mine), path
            if path == "/api/queue/reports":
                theirs, mine = sorted(theirs), sorted(mine)
            self._ids.update(zip(map(str, theirs), map(str, mine), strict=True))


@pytest.fixture
def replay(lab: Lab) -> Iterator[Replay]:
    """A stand-in that had the recording's mail and set-up."""
    with stand_in(lab) as server:
        prepared = Replay(server, lab)
        with prepared.client:
            yield prepared


def problems_of(row: dict[str, Any], response: httpx.Response) -> list[str]:
    """How an answer differs from the recorded one."""
    found = []
    if response.status_code != row["status"]:
        found.append(f"status {response.status_code}, recorded {row['status']}")
    for name in ("content-type", "www-authenticate"):
        if response.headers.get(name) != row["headers"].get(name):
            found.append(f"{name} {response.headers.get(name)!r}, recorded {row['headers'].get(name)!r}")
    if "json" in row["headers"]["content-type"] and response.content:
        found += differences(row["body"], response.json())
    return found


def test_every_recorded_request_is_answered_in_the_recorded_shape(replay: Replay) -> None:
    """Status, headers and shape of the body are those of the real server, for each row of the recording."""
    replay.pair_ids()
    problems = {}

    for number, row in enumerate(replay.rows):
        found = problems_of(row, replay.ask(row))
        if found:
            problems[f"row {number}: {row['as']} {row['method']} {row['path']}"] = found

    assert problems == {}


def test_unfiltered_lists_hold_as_many_items_as_recorded(replay: Replay) -> None:
    """After the same mail the same number of messages waits and the same number of reports is stored."""
    lists = re.compile(r"/api/(queue/(messages|reports)|reports/(dmarc|tls|arf))(\?.*)?")
    rows = [row for row in replay.rows if lists.fullmatch(row["path"]) and row["status"] == 200]

    totals = [(row["path"], replay.ask(row).json()["data"]["total"]) for row in rows]

    assert totals == [(row["path"], row["body"]["data"]["total"]) for row in rows]
    assert len(totals) > 10


def samples(page: str) -> dict[str, str]:
    """The lines of a page that are not comments."""
    return dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))


def native_page(replay: Replay) -> str:
    """Our page at the moment at which the recorded one was taken."""
    for row in replay.rows:
        response = replay.ask(row)
        if row["as"] == "prometheus":
            return response.text
    raise AssertionError("the recording has no page")


def test_every_metric_of_the_page_is_declared_as_recorded(replay: Replay) -> None:
    """Each HELP and TYPE line of the recording is on our page too, in the recorded order."""
    recorded = [
        line for line in replay.lab.native.splitlines() if line.startswith("#") and "resource_error" not in line
    ]

    ours = [line for line in native_page(replay).splitlines() if line.startswith("#")]

    assert ours == recorded


def test_the_page_has_the_recorded_line_grammar(replay: Replay) -> None:
    """Names, buckets and their bounds are written as on the real page, whose last bound is `inf`."""
    recorded = samples(replay.lab.native).keys() - {"resource_error"}

    page = native_page(replay)

    assert samples(page).keys() == recorded
    assert page.endswith("\n")
    assert all(re.fullmatch(r'#.*|[a-z0-9_]+(\{le="(\d+|inf)"\})? \d+', line) for line in page.splitlines())


def test_the_same_mail_moves_the_same_counters(replay: Replay) -> None:
    """Every counter that mail and requests move stands where the real server's stood."""
    recorded = {name: value for name, value in samples(replay.lab.native).items() if not INCOMPARABLE.match(name)}

    ours = {name: value for name, value in samples(native_page(replay)).items() if not INCOMPARABLE.match(name)}

    assert ours == recorded


def log_items(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """All recorded log lines, oldest first; the line that a new one pushed onto the second page is taken once."""
    pages = {row["path"]: row["body"]["data"]["items"] for row in rows if row["path"].startswith("/api/logs?limit=100")}
    first, second = pages["/api/logs?limit=100"], pages["/api/logs?limit=100&page=2"]
    newest_first: list[dict[str, str]] = first + second[1 if first[-1] == second[0] else 0 :]
    return newest_first[::-1]


def our_log(replay: Replay) -> list[dict[str, str]]:
    """Our whole log, oldest first, after the recorded requests."""
    for row in replay.rows[:9]:
        replay.ask(row)
    response = replay.client.get("/api/logs?limit=0", headers=authorization("watcher"))
    items: list[dict[str, str]] = response.json()["data"]["items"]
    return items[::-1]


def test_log_lines_have_the_recorded_title_level_and_keys(replay: Replay) -> None:
    """Each kind of line in the recorded log exists in ours, with the same keys in the same order."""

    def kinds(items: list[dict[str, str]]) -> set[tuple[str, ...]]:
        return {(i["level"], i["event"], i["event_id"], *KEY.findall(i["details"])) for i in items}

    missing = kinds(log_items(replay.rows)) - kinds(our_log(replay))

    assert missing == set()


def attempts(items: list[dict[str, str]]) -> list[list[str]]:
    """The event ids of each attempt that is in a log from its start to its end."""
    running: dict[str, list[str]] = {}
    ended = []
    for item in items:
        queue_id = re.match(r"queueId = (\d+)", item["details"])
        if queue_id is None:
            continue
        events = running.setdefault(queue_id[1], [])
        events.append(item["event_id"])
        if item["event_id"] == "delivery.attempt-end":
            ended.append(running.pop(queue_id[1]))
    return [events for events in ended if events[0] == "delivery.attempt-start"]


def test_attempts_tell_the_recorded_events(replay: Replay) -> None:
    """What is logged of an attempt is what the real server logs of such a one."""
    recorded = {tuple(sorted(events)) for events in attempts(log_items(replay.rows))}

    ours = {tuple(sorted(events)) for events in attempts(our_log(replay))}

    assert recorded - ours == set()
    assert recorded


def test_attempts_tell_their_deliveries_in_the_recorded_order(replay: Replay) -> None:
    """Delivery and queue events follow each other as recorded; the look-ups before them race on the real server."""

    def deliveries(items: list[dict[str, str]]) -> set[tuple[str, ...]]:
        return {tuple(e for e in events if e.startswith(("delivery.", "queue."))) for events in attempts(items)}

    recorded = deliveries(log_items(replay.rows))

    assert recorded - deliveries(our_log(replay)) == set()
    assert recorded


def test_failure_texts_of_the_queue_are_the_recorded_ones(replay: Replay) -> None:
    """The status texts of the same recipients are word for word those of the real server."""

    def texts(body: Any) -> set[str]:
        match body:
            case {"status": {"temp_fail": str(text)} | {"perm_fail": str(text)} | {"completed": str(text)}}:
                return {text} | {t for inner in body.values() for t in texts(inner)}
            case dict():
                return {text for inner in body.values() for text in texts(inner)}
            case list():
                return {text for inner in body for text in texts(inner)}
        return set()

    row = next(row for row in replay.rows if row["path"] == "/api/queue/messages?values=1")
    recorded = texts(row["body"])

    assert texts(replay.ask(row).json()) == recorded
    assert len(recorded) > 5
