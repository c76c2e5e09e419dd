"""The trail in the history file: made by an upgrade, found again, masked, and kept within its bounds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.clock import unix_second
from exporter.ingest.loops.trail_retention import TrailRetention
from exporter.model.delivery import Outcome
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.reading import reading
from exporter.store.schema import MIGRATIONS
from exporter.store.store import Store
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.masking import Addresses, AddressMask
from exporter.store.trail.pruning import measure_trail
from exporter.store.trail.queries import list_messages, list_outcomes, list_refusals, load_trail
from exporter.store.trail.rows import MessageRow, OutcomeRow, RefusalRow, StepRow, TrailRows, trail_writer
from exporter.store.trail.schema import TRAIL_TABLES
from tests.support.virtual_time import HandClock

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SECOND = unix_second(NOW)
LARGEST_ID = 2**64 - 2
MASK = AddressMask(Addresses.FULL, b"")


def rows_of(ids: Sequence[int], *, at: int = SECOND, sender: str = "alice@example.org") -> TrailRows:
    """Messages of *sender*, each with a bounced recipient, and a refusal of the same second."""
    rows = TrailRows()
    for number in ids:
        address = f"u{number}@example.net"
        rows.messages[number] = MessageRow(
            number,
            at,
            at,
            MessageKind.SUBMITTED,
            "smtp",
            "192.0.2.1",
            "alice",
            sender,
            900,
            1,
            at + 9,
            0,
            f"id-{number}",
        )
        rows.recipients[number, address] = ("remote", at)
        rows.steps.append(
            StepRow(number, at, "delivery.rcpt-to-rejected", "remote", address, "mx", "", "550", "no", None, 1)
        )
        rows.outcomes.append(
            OutcomeRow(number, at, "permanent_failure", "unexpected_response", "550", "example.net", "remote", address,
                       "mx", "Code: 550", "log", 2)
        )  # fmt: skip
        rows.refusals.append(
            RefusalRow(at, "smtp.relay-not-allowed", "192.0.2.9", number % 60_000, f"x{number}@else.test",
                       RefusalReason.RELAY, "smtp", "", sender, 0, "", "", False)
        )  # fmt: skip
    return rows


async def write(path: Path, *parts: TrailRows) -> Store:
    store = await Store.open(path, now=NOW)
    for rows in parts:
        await store.save("mx1", tallies={}, watermarks={}, rows=trail_writer([rows], "mx1"))
    return store


def counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        tables = ("trail_message", "trail_recipient", "trail_outcome", "trail_step", "trail_refusal")
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}  # noqa: S608 - names above


def test_a_history_of_an_earlier_version_gets_the_trail(tmp_path: Path):
    """Its tallies stay, and its secret is its own."""
    secrets = []
    for name in ("one.sqlite3", "two.sqlite3"):
        path = tmp_path / name
        version = MIGRATIONS.index(TRAIL_TABLES)
        with closing(sqlite3.connect(path)) as connection:
            for group in MIGRATIONS[:version]:
                for statement in group:
                    connection.execute(statement)
            connection.execute("INSERT INTO tally VALUES ('mx1', 'deliveries', '[\"delivered\"]', 7)")
            connection.execute(f"PRAGMA user_version={version}")
            connection.commit()

        async def reopen(path: Path = path) -> dict[tuple[str, tuple[str, ...]], int]:
            store = await write(path, rows_of([1]))
            tallies = await store.load_tallies("mx1")
            await store.aclose()
            return tallies

        assert asyncio.run(reopen()) == {("deliveries", ("delivered",)): 7}
        with closing(sqlite3.connect(path)) as connection:
            secrets.append(connection.execute("SELECT secret FROM trail_key").fetchone()[0])
    assert len(secrets[0]) == 32
    assert secrets[0] != secrets[1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (TrailFilter(), [LARGEST_ID, 2, 1]),
        (TrailFilter(queue_id=LARGEST_ID), [LARGEST_ID]),
        (TrailFilter(address="U2@example.net"), [2]),
        (TrailFilter(address="alice@example.org"), [2, 1]),
        (TrailFilter(domain="example.net"), [LARGEST_ID, 2, 1]),
        (TrailFilter(domain="example.org", since=NOW), [2]),
        (TrailFilter(message_id="id-1"), [1]),
        (TrailFilter(account="Alice", until=NOW), [1]),
        (TrailFilter(outcome=Outcome.DELIVERED), []),
        (TrailFilter(outcome=Outcome.PERMANENT_FAILURE, kind=MessageKind.SUBMITTED, server="mx1"), [LARGEST_ID, 2, 1]),
        (TrailFilter(kind=MessageKind.DSN), []),
        (TrailFilter(server="mx2"), []),
        (TrailFilter(address="u2@example.net", only_domain="else.test"), []),
        (TrailFilter(only_domain="example.org"), [2, 1]),
        (TrailFilter(address="' OR 1=1 --"), []),
        (TrailFilter(reason=RefusalReason.RELAY), []),
    ],
)
def test_messages_are_found_by_each_filter(tmp_path: Path, wanted: TrailFilter, found: list[int]):
    """By number, by either side's address and domain, by time, outcome and kind; the newest first."""
    path = tmp_path / "history.sqlite3"
    parts = (
        rows_of([1], at=SECOND - 5),
        rows_of([2]),
        rows_of([LARGEST_ID], at=SECOND + 5, sender="other@elsewhere.test"),
    )

    async def make() -> None:
        await (await write(path, *parts)).aclose()

    asyncio.run(make())
    with reading(path) as connection:
        assert [message.queue_id for message in list_messages(connection, wanted, most=10)] == found
        assert len(list_messages(connection, wanted, most=1)) == min(1, len(found))


def test_refusals_and_outcomes_are_found_by_address_and_domain(tmp_path: Path):
    """A refusal has no message; the replies of a destination are those of all messages to it."""
    path = tmp_path / "history.sqlite3"

    async def make() -> None:
        await (await write(path, rows_of([1, 2]))).aclose()

    asyncio.run(make())
    with reading(path) as connection:
        found = list_refusals(connection, TrailFilter(address="x2@else.test"), most=10)
        assert [(one.recipient, one.reason) for one in found] == [("x2@else.test", RefusalReason.RELAY)]
        assert len(list_refusals(connection, TrailFilter(domain="example.org"), most=10)) == 2
        assert list_refusals(connection, TrailFilter(reason=RefusalReason.SPF), most=10) == []
        assert len(list_outcomes(connection, "example.net", most=10)) == 2
        assert load_trail(connection, "mx1", 3, now=NOW) is None


def test_a_hashed_address_is_found_by_the_exact_address_only(tmp_path: Path):
    """The domain stays readable; masking twice changes nothing, and texts are masked as well."""
    mask = AddressMask(Addresses.HASHED, b"k" * 32)
    masked = mask.address("Alice@Example.org")

    assert masked.endswith("@example.org")
    assert "alice" not in masked
    assert mask.address(masked) == masked
    assert masked in mask.searched("alice@EXAMPLE.org")
    assert masked not in mask.searched("bob@example.org")
    assert mask.address("<>") == "<>"
    assert mask.text("550 <alice@example.org> unknown, ask help@example.net") == (
        f"550 <{masked}> unknown, ask {mask.address('help@example.net')}"
    )
    assert AddressMask(Addresses.DOMAIN, b"").address("alice@example.org") == "@example.org"
    assert AddressMask(Addresses.DOMAIN, b"").account("alice") == ""
    assert AddressMask(Addresses.HASHED, b"x" * 32).address("alice@example.org") != masked


@pytest.mark.parametrize("size", [None, 0.5])
def test_the_oldest_goes_first(tmp_path: Path, size: float | None):
    """Rows that are too old are deleted with all that belongs to them, then the oldest of what is too much."""
    path = tmp_path / "history.sqlite3"
    clock = HandClock(NOW)
    number, step = 30_000, 2

    async def play() -> tuple[int, int, int | None]:
        parts = [rows_of(range(1 + at, 1001 + at), at=SECOND - (number - at) * step) for at in range(0, number, 1000)]
        store = await write(path, *parts)
        await store.refresh_stats()
        before = (await measure_trail(store)).size_bytes
        keep = 10_000.0 if size is None else 1e9
        most = 10**12 if size is None else int(before * size)
        retention = TrailRetention(store, keep_seconds=keep, max_bytes=most, clock=clock)
        await retention.prune()
        after = (await measure_trail(store)).size_bytes
        oldest = store.stats.trail_oldest_at
        await store.aclose()
        return before, after, oldest

    before, after, oldest = asyncio.run(play())

    left = counts(path)
    assert len(set(left.values())) == 1
    assert oldest is not None
    if size is None:
        assert oldest == SECOND - 10_000
    else:
        assert 0.4 * before < after <= size * before
    with reading(path) as connection:
        (newest,) = list_messages(connection, TrailFilter(), most=1)
    assert newest.seen_at >= NOW - timedelta(seconds=1000 * step)


def test_the_size_is_estimated_well(tmp_path: Path):
    """The estimate is within a third of what the file grows by."""
    path = tmp_path / "history.sqlite3"

    async def play() -> tuple[int, int]:
        store = await write(path)
        empty = path.stat().st_size
        for at in range(0, 20_000, 1000):
            await store.save(
                "mx1", tallies={}, watermarks={}, rows=trail_writer([rows_of(range(at, at + 1000))], "mx1")
            )
        await store.refresh_stats()
        estimated = (await measure_trail(store)).size_bytes
        await store.aclose()
        return estimated, path.stat().st_size - empty

    estimated, real = asyncio.run(play())

    assert 0.67 * real < estimated < 1.33 * real
