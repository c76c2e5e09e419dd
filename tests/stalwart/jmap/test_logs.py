"""The newest lines of the log, as if from one answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import TargetServerError, TargetUnsupported
from exporter.model.delivery import LogLine
from exporter.stalwart.events.log_lines import parse_log_lines
from exporter.stalwart.jmap.logs import Line
from exporter.stalwart.rest.logs import parse_log_answer
from tests.support.replays.jmap import JmapServer, MethodError, id_of
from tests.support.replays.jmap_client import asked, methods_of, stamp
from tests.support.worlds.told_events import Attempt, Told, log_page, log_row

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def lines(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Lines of one file, newest first, as a server lists them: the id is the place in the file."""
    return [
        {
            "id": id_of(100 * number + 1),
            "timestamp": stamp(START + timedelta(seconds=first + number)),
            "level": "info",
            "event": "smtp.connection-start",
            "details": f"remotePort = {first + number}",
        }
        for number in reversed(range(count))
    ]


def server_with(rows: list[dict[str, Any]], **settings: Any) -> JmapServer:
    """A server with such a log."""
    server = JmapServer.recorded()
    server.rows["Log"] = rows
    for name, value in settings.items():
        setattr(server, name, value)
    return server


def read(server: JmapServer, limit: int) -> Sequence[LogLine]:
    """One reading."""
    return asked(server, lambda client: client.fetch_newest_log_lines(limit=limit))


@pytest.mark.parametrize(
    ("there", "limit", "requests"),
    [
        (0, 100, 1),
        (30, 100, 1),
        (100, 100, 1),
        (2000, 100, 1),
        (2000, 501, 2),
        (2000, 1600, 2),
        (2000, 6400, 2),
        (12_000, 10_000, 4),
    ],
)
def test_the_newest_lines_are_read_in_few_requests(there: int, limit: int, requests: int):
    """In order, each once, as many as there are."""
    server = server_with(lines(there))

    found = read(server, limit)

    wanted = [START + timedelta(seconds=number) for number in reversed(range(there))][:limit]
    assert [line.at for line in found] == wanted
    assert server.batches == requests
    for verb, arguments in methods_of(server, "Log"):
        if verb == "query":
            assert arguments.keys() <= {"limit", "anchor"}
            assert arguments["limit"] <= 5000
        else:
            assert len(arguments.get("ids", ())) <= 500


def test_lines_that_are_written_meanwhile_disturb_nothing():
    """What was newest when the reading began stays so."""
    server = server_with(lines(1500))

    def write(batch: int) -> None:
        if batch > 0:
            server.rows["Log"] = lines(1500 + 10 * batch)

    server.before = write

    found = read(server, 1200)

    assert [line.at for line in found] == [START + timedelta(seconds=number) for number in range(1499, 299, -1)]


class BusyServer(JmapServer):
    """A server that writes ten lines before it answers each method."""

    written = 0

    def call(self, identity: str, name: str, arguments: dict[str, Any], results: Mapping[str, Any]) -> Any:
        self.written += 10
        self.rows["Log"] = lines(6000 + self.written)
        return super().call(identity, name, arguments, results)


@pytest.mark.parametrize("limit", [501, 1600, 5000, 5500])
def test_lines_that_are_written_between_two_calls_do_not_end_the_reading(limit: int):
    """They take up places of the second list, which is then no shorter than asked for: the log has not ended."""
    server = BusyServer.recorded()

    found = read(server, limit)

    numbers = [int((line.at - START).total_seconds()) for line in found]
    assert numbers == list(range(numbers[0], numbers[0] - limit, -1))


def test_a_rotation_in_between_starts_the_reading_anew():
    """Afterwards each id means another line."""
    server = server_with(lines(2000))

    def rotate(batch: int) -> None:
        if batch == 1:
            server.rows["Log"] = lines(1900, first=5000)

    server.before = rotate

    found = read(server, 1500)

    assert [line.at for line in found] == [START + timedelta(seconds=5000 + n) for n in range(1899, 399, -1)]


def test_a_log_that_is_always_rotated_fails_the_poll():
    """Rather than telling lines of two files as one."""
    server = server_with(lines(2000))
    server.before = lambda batch: server.rows.update(Log=lines(2000, first=batch))

    with pytest.raises(TargetServerError, match="rotated"):
        read(server, 1500)


def test_a_server_that_writes_no_log_files_is_not_configured_for_it():
    """Only a tracer of files can be read."""
    server = server_with([], error={"x:Log/query": MethodError("invalidArguments", "No log tracer.")})

    with pytest.raises(TargetUnsupported) as caught:
        read(server, 100)

    assert caught.value.status == "not_configured"


def test_a_line_is_the_same_as_in_earlier_releases():
    """So that an upgrade counts none twice: fingerprint, level, event and delivery are equal."""
    attempt = Attempt()
    event = Told("delivery.dsn-perm-fail", {"to": "d@example.com", "hostname": "mx.example.com", "details": "No."})
    row = log_row(attempt, event)
    jmap = {"id": "b", "timestamp": row["timestamp"], "level": "info", "event": event.id, "details": row["details"]}

    found = read(server_with([jmap]), 10)

    assert list(found) == list(parse_log_answer(log_page([row])).lines)
    assert found[0].delivery is not None


def test_the_version_is_read_where_the_server_tells_it():
    """In the line that it begins with, and nowhere else."""
    told = {"id": "b", "timestamp": stamp(START), "level": "info", "event": "server.startup"}

    found = read(server_with([{**told, "details": 'hostname = "mx.example.test", version = "0.16.18"'}]), 10)

    assert found[0].version == "0.16.18"


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "level": st.sampled_from(["error", "warn", "info", "debug", "trace", "loud"]),
                "event": st.sampled_from(["auth.failed", "delivery.dsn-success", "no.such-event", ""]),
                "details": st.text(max_size=40),
            }
        ),
        max_size=6,
    )
)
def test_any_line_reads_as_in_earlier_releases(told: list[dict[str, str]]):
    """Whatever stands in it: both ways of asking lead to one line."""
    jmap = [{**line, "id": id_of(n + 1), "timestamp": stamp(START)} for n, line in enumerate(told)]
    rest = [
        {
            "timestamp": stamp(START),
            "level": line["level"].upper(),
            "event_id": line["event"],
            "details": line["details"],
        }
        for line in told
    ]

    found = parse_log_lines(msgspec.json.decode(json.dumps(jmap), type=list[Line]), "list")

    assert found == parse_log_answer(json.dumps({"data": {"items": rest}}).encode()).lines
