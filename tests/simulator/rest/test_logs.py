"""The log as `/api/logs` reads it, with its odd total."""

from __future__ import annotations

from exporter.simulator import ManualClock, Profile, Reply, World
from exporter.simulator.world.telemetry.logs import MAX_LINES, LogFiles


def log_of(count: int) -> LogFiles:
    """A log with numbered lines."""
    log = LogFiles()
    for number in range(count):
        log.append("2026-11-22", f"2026-11-22T00:00:00Z INFO Title (some.event) number = {number}")
    return log


def numbers(page: dict[str, object]) -> list[int]:
    """The numbers of the lines on a page."""
    return [int(item["details"].rpartition(" ")[2]) for item in page["items"]]  # type: ignore[attr-defined]


def test_newest_lines_come_first() -> None:
    """Pages go backwards from the newest line."""
    log = log_of(10)

    assert numbers(log.read("", 0, 4)) == [9, 8, 7, 6]
    assert numbers(log.read("", 1, 4)) == [9, 8, 7, 6]
    assert numbers(log.read("", 2, 4)) == [5, 4, 3, 2]
    assert numbers(log.read("", 3, 4)) == [1, 0]


def test_total_is_what_was_read_plus_a_page_if_there_is_more() -> None:
    """`total` says nothing about the size of the log until the last page."""
    log = log_of(10)

    assert [log.read("", page, 4)["total"] for page in (1, 2, 3)] == [8, 12, 10]
    assert log.read("", 1, 10)["total"] == 10


def test_limit_zero_reads_everything() -> None:
    """No limit means all lines of all files."""
    assert len(log_of(10).read("", 1, 0)["items"]) == 10


def test_filter_is_a_case_sensitive_part_of_the_line() -> None:
    """The whole raw line is searched, without patterns."""
    log = log_of(20)

    assert numbers(log.read("number = 1", 1, 100)) == [19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 1]
    assert log.read("NUMBER", 1, 100) == {"items": [], "total": 0}


def test_rotated_files_are_read_newest_first() -> None:
    """After a rotation new lines are read before old ones, however often it happens."""
    log = log_of(3)
    for number in range(3, 6):
        log.rotate()
        log.append("2026-11-22", f"2026-11-22T00:00:00Z INFO Title (some.event) number = {number}")
    log.append("2026-11-23", "2026-11-23T00:00:00Z INFO Title (some.event) number = 6")

    assert numbers(log.read("", 1, 0)) == [6, 5, 4, 3, 2, 1, 0]


def test_unparsable_lines_count_and_are_left_out() -> None:
    """A line without the form of one is in `total` only."""
    log = log_of(2)
    log.append("2026-11-22", "\tcontinued line")

    assert log.read("", 1, 10) == {"items": log_of(2).read("", 1, 10)["items"], "total": 3}


def test_old_lines_are_forgotten() -> None:
    """The log does not grow without bound."""
    log = log_of(MAX_LINES + 10)

    newest = log.read("", 1, 1)

    assert numbers(newest) == [MAX_LINES + 9]
    assert sum(map(len, log.files.values())) <= MAX_LINES


def test_hostile_replies_stay_on_one_line_with_their_quotes() -> None:
    """Line breaks are escaped and quotes are not, so a remote host can forge keys but not lines."""
    world = World(Profile(), clock=ManualClock())
    world.set_destination("evil.test", "defer", reply=Reply(451, "4.0.0", 'x", code = 250\r\n2026 INFO \\'))
    world.submit(["u@evil.test"])

    world.tick()

    (item,) = world.journal.log.read("rcpt-to-rejected", 1, 10)["items"]
    assert r'details = "x", code = 250\r\n2026 INFO \\", elapsed' in item["details"]
