"""Many reports by one request, as v0.16 gives them: each is still had, counted and set aside by itself."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from exporter.errors import HistoryUnavailable, PayloadError, TargetServerError
from exporter.ingest.jobs.reports.inbox import STRIKES
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.reports.listing import REPORTS_AT_ONCE
from tests.support.rigs.reports import Rig, check_sums, query, rig
from tests.support.servers.mailbox import DMARC, FIRST, Mailbox, mailbox, name, serving

COUNT, KINDS = 120, 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "h.sqlite3"


@pytest.fixture
def server() -> Mailbox:
    return mailbox(COUNT)


def live(server: Mailbox, path: Path, act: Callable[[Rig], Awaitable[None]]) -> None:
    """One life of the collector beside *server*."""

    async def run(url: str) -> None:
        async with rig(url, path, client=JmapClient) as life:
            await act(life)

    with serving(server) as url:
        asyncio.run(run(url))


def taken(path: Path) -> set[str]:
    """The ids of the reports in the file."""
    return {str(id_) for (id_,) in query(path, "SELECT source_id FROM report")}


def names(*numbers: int) -> set[str]:
    """The ids of some reports."""
    return {name(number) for number in numbers}


def test_many_reports_come_by_few_requests(path: Path, server: Mailbox):
    """The oldest first, each once, and none again in the next poll."""

    async def act(life: Rig) -> None:
        await life.run()
        await life.run()

    live(server, path, act)

    assert [id_ for ids in server.together for id_ in ids] == [name(number) for number in range(COUNT)]
    assert len(server.together) == -(-COUNT // REPORTS_AT_ONCE)
    assert query(path, "SELECT count(*), sum(passed + failed) FROM report") == [(COUNT, COUNT * (COUNT + 1) // 2)]
    check_sums(path)


@pytest.mark.parametrize("numbers", [(0,), (30,), (COUNT - 1,), (10, 11, 77)])
def test_one_that_the_server_cannot_give_holds_nobody_up(path: Path, server: Mailbox, numbers: tuple[int, ...]):
    """All others come in the first poll; it is set aside after some, and is the server's trouble until then."""
    server.cannot = names(*numbers)

    async def act(life: Rig) -> None:
        for polls in range(1, STRIKES + 1):
            with pytest.raises(TargetServerError):
                await life.run()
            assert taken(path) == names(*range(COUNT)) - server.cannot
            aside = query(path, "SELECT source_id FROM report_rejected ORDER BY id")
            assert aside == ([(str(FIRST + number),) for number in numbers] if polls == STRIKES else [])
        await life.run()

    live(server, path, act)

    assert len(server.together) < 25 * len(numbers)
    check_sums(path)


def test_those_that_are_gone_are_left_alone(path: Path, server: Mailbox):
    """What the server dropped between its list and the request is neither kept aside nor asked for again."""
    gone = names(3, 60, 61)

    def drop(batches: int) -> None:
        if server.together or batches < KINDS:
            return
        server.rows[DMARC] = [row for row in server.rows[DMARC] if row["id"] not in gone]

    async def act(life: Rig) -> None:
        await life.run()
        asked = len(server.together)
        await life.run()
        assert len(server.together) == asked

    server.before = drop
    live(server, path, act)

    assert taken(path) == names(*range(COUNT)) - gone
    assert query(path, "SELECT count(*) FROM report_rejected") == [(0,)]


def test_an_answer_that_does_not_tell_what_became_of_one_is_asked_for_again(path: Path, server: Mailbox):
    """It is not taken for gone."""
    server.unanswered = names(70)

    async def act(life: Rig) -> None:
        with pytest.raises(PayloadError):
            await life.run()
        assert taken(path) == names(*range(COUNT)) - server.unanswered
        server.unanswered = set()
        await life.run()

    live(server, path, act)

    assert taken(path) == names(*range(COUNT))
    check_sums(path)


def test_a_server_that_gives_fewer_at_once_than_it_says_is_asked_for_fewer(path: Path, server: Mailbox):
    """As many as it gives, and no failure is told."""
    server.limits = {**server.limits, "objects": 10}

    live(server, path, Rig.run)

    assert taken(path) == names(*range(COUNT))


def test_unreadable_ones_are_set_aside_among_the_others(path: Path, server: Mailbox):
    """Each with its own reason."""
    for number in (5, 55):
        server.rows[DMARC][number]["report"]["policyDomain"] = "not a domain"

    live(server, path, Rig.run)

    assert taken(path) == names(*range(COUNT)) - names(5, 55)
    rejected = query(path, "SELECT source_id, reason FROM report_rejected")
    assert [reason for _, reason in rejected] == ["report.policyDomain: not a domain name"] * 2
    check_sums(path)


def test_the_same_report_counts_once_within_one_answer(path: Path, server: Mailbox):
    """Mailed twice, it has two ids on the server."""
    for number in (1, 2, 51):
        server.rows[DMARC][number] = {**copy.deepcopy(server.rows[DMARC][0]), "id": name(number)}

    live(server, path, Rig.run)

    assert taken(path) == names(*range(COUNT)) - names(1, 2, 51)
    assert query(path, "SELECT count(*) FROM seen") == [(COUNT,)]
    check_sums(path)


def test_nothing_of_an_answer_is_stored_while_the_file_takes_no_rows(path: Path, server: Mailbox):
    """It comes again when the file can be written."""

    async def act(life: Rig) -> None:
        await life.store.read("PRAGMA query_only=1")
        with pytest.raises(HistoryUnavailable):
            await life.run()
        await life.store.read("PRAGMA query_only=0")
        assert not taken(path)
        await life.run()

    live(server, path, act)

    assert taken(path) == names(*range(COUNT))
    check_sums(path)
