"""
The posts of one server: stored before they are answered, read in order, removed once counted.

Every method raises `StoreError` while the history file cannot be used.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter.store.store import RowWriter, Store
from exporter.store.webhooks.spool import BodySpool

KEEP_POSTS_SECONDS = 86_400
"""How long a body is recognised when it arrives again."""

KEPT_RUNS = 8
"""How many of the last batches are kept to find them in later posts."""

_LEVEL = 1
_ADD_POST = "INSERT INTO webhook_post (server, digest, at, body) VALUES (?, ?, ?, ?)"
_FIND_POST = "SELECT at, body FROM webhook_post WHERE server = ? AND digest = ?"
_FORGET_POSTS = "DELETE FROM webhook_post WHERE server = ? AND at < ?"
_ADD_BODY = "INSERT INTO webhook_body (server, at, stored, done) VALUES (?, ?, 0, 0)"
_ADD_RUN = "INSERT OR REPLACE INTO webhook_run (body, server, at, answered, digests, seconds) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_RUNS = (
    "DELETE FROM webhook_run WHERE server = ?1 AND body NOT IN"
    " (SELECT body FROM webhook_run WHERE server = ?1 ORDER BY body DESC LIMIT ?2)"
)


class StoredPost(NamedTuple):
    """
    The result of storing a post.

    Attributes:
        body: The number of its body; for a repetition, of the one that arrived first.
        first_at: When the body arrived for the first time, in Unix seconds of the exporter's clock.
        is_new: Whether it was stored now.
    """

    body: int
    first_at: int
    is_new: bool


class PendingBody(NamedTuple):
    """A body that is not yet counted; *done* is the number of its new events that are."""

    body: int
    at: int
    done: int


@dataclass(slots=True)
class StoredRun:
    """
    The batch of one post.

    Attributes:
        at: When it was received, in Unix seconds of the exporter's clock.
        answered: Whether the server has certainly received the answer.
        digests: 8 bytes per event.
        seconds: 4 bytes per event, an unsigned integer in the machine's order.
    """

    body: int
    at: int
    answered: bool
    digests: bytes
    seconds: bytes


class WebhookInbox:
    """
    The stored posts of one server.

    Attributes:
        pending_posts: Posts that are not yet counted.
        pending_bytes: What their bodies take in the history file, compressed.
    """

    def __init__(self, store: Store, server: str) -> None:
        self.pending_posts = 0
        self.pending_bytes = 0
        self._store = store
        self._server = server
        self._pruned_at = 0

    @property
    def directory(self) -> Path:
        """The directory for bodies that are being received."""
        return self._store.path.parent

    async def load(self) -> None:
        """Read what is pending."""
        rows = await self._store.read(
            "SELECT count(*), coalesce(sum(stored), 0) FROM webhook_body WHERE server = ?", (self._server,)
        )
        self.pending_posts, self.pending_bytes = next(iter(rows))

    async def add(self, digest: bytes, spool: BodySpool, *, at: int) -> StoredPost:
        """Store a body that has the signature *digest*, unless it is known; it is on its way to the disk on return."""

        def write(connection: sqlite3.Connection) -> tuple[StoredPost, int]:
            known = connection.execute(_FIND_POST, (self._server, digest)).fetchone()
            if known is not None:
                return StoredPost(known[1], known[0], False), 0
            body = connection.execute(_ADD_BODY, (self._server, at)).lastrowid or 0
            stored = _write_chunks(connection, body, spool)
            connection.execute("UPDATE webhook_body SET stored = ? WHERE id = ?", (stored, body))
            connection.execute(_ADD_POST, (self._server, digest, at, body))
            if at - self._pruned_at >= KEEP_POSTS_SECONDS // 24:
                connection.execute(_FORGET_POSTS, (self._server, at - KEEP_POSTS_SECONDS))
                self._pruned_at = at
            return StoredPost(body, at, True), stored

        post, stored = await self._store.write(write)
        if post.is_new:
            self.pending_posts += 1
            self.pending_bytes += stored
        return post

    async def next_body(self) -> PendingBody | None:
        """Return the oldest pending body."""
        rows = await self._store.read(
            "SELECT id, at, done FROM webhook_body WHERE server = ? ORDER BY id LIMIT 1", (self._server,)
        )
        return next((PendingBody(*row) for row in rows), None)

    async def chunk(self, body: int, number: int) -> bytes | None:
        """Return a chunk of a pending body; ``None`` after the last."""
        rows = await self._store.read("SELECT data FROM webhook_chunk WHERE body = ? AND number = ?", (body, number))
        packed = next(iter(rows), None)
        return None if packed is None else zlib.decompress(packed[0])

    async def runs(self) -> Sequence[StoredRun]:
        """Return the last batches, oldest first."""
        rows = await self._store.read(
            "SELECT body, at, answered, digests, seconds FROM webhook_run WHERE server = ? ORDER BY body",
            (self._server,),
        )
        return [StoredRun(body, at, bool(answered), d, s) for body, at, answered, d, s in rows]

    def progress(self, body: int, done: int) -> RowWriter:
        """Return a writer that records how many events of a body are counted."""
        return lambda connection: _execute(connection, "UPDATE webhook_body SET done = ? WHERE id = ?", (done, body))

    def finished(self, body: int, run: StoredRun | None, gone: Sequence[int], answered: Sequence[int]) -> RowWriter:
        """Return a writer that removes a counted body and keeps its *run*, without those of *gone* bodies."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM webhook_chunk WHERE body = ?", (body,))
            connection.execute("DELETE FROM webhook_body WHERE id = ?", (body,))
            connection.executemany("DELETE FROM webhook_run WHERE body = ?", [(one,) for one in gone])
            connection.executemany("UPDATE webhook_run SET answered = 1 WHERE body = ?", [(one,) for one in answered])
            if run is not None:
                row = (run.body, self._server, run.at, int(run.answered), run.digests, run.seconds)
                connection.execute(_ADD_RUN, row)
            connection.execute(_FORGET_RUNS, (self._server, KEPT_RUNS))

        return write


def _execute(connection: sqlite3.Connection, sql: str, parameters: Sequence[object]) -> None:
    connection.execute(sql, parameters)


def _write_chunks(connection: sqlite3.Connection, body: int, spool: BodySpool) -> int:
    """Write a body in compressed chunks; return their size. Runs in SQLite's thread."""
    stored = 0
    for number, chunk in enumerate(spool.chunks()):
        packed = zlib.compress(chunk, _LEVEL)
        connection.execute("INSERT INTO webhook_chunk (body, number, data) VALUES (?, ?, ?)", (body, number, packed))
        stored += len(packed)
    return stored
