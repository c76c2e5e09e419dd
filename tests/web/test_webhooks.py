"""The receiver's answers, without a socket."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.state.webhooks import BUSY, FULL, INCOMPLETE, NOT_STORED, REPEATED, REPLAYED, STORED
from exporter.web.webhooks import MAX_POSTS, REPEAT_SECONDS, Target, WebhookReceiver
from tests.support.rigs.webhooks import Webhook, webhook_on
from tests.support.virtual_time import HandClock
from tests.support.webhooks import KEY, PATH, body_of, event, sign

AT = datetime(2026, 11, 30, 10, tzinfo=UTC)
MIB = 1 << 20
BODY = body_of([event("delivery.dsn-success", queueId=1, to="u@ok.test")])


class Feed:
    """What the receiver has told."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.taken: list[int] = []

    def received(self, result: str) -> None:
        self.results[result] += 1

    def answered(self, body: int) -> None:
        self.taken.append(body)


class Receiver:
    """A receiver of one webhook."""

    def __init__(self, hook: Webhook) -> None:
        self.feed = Feed()
        self.target = Target(KEY, hook.inbox, self.feed, 4 * MIB, MIB)
        self._app = WebhookReceiver({PATH: self.target}.get, clock=hook.clock)

    async def post(
        self, *pieces: bytes, is_whole: bool = True, taken: bool | None = True, before: Callable[[], Any] = lambda: None
    ) -> tuple[int, dict[bytes, bytes]]:
        """Post a body in *pieces*; the status and the headers of the answer, 0 without one."""
        body = b"".join(pieces)
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
        messages.append({"type": "http.request", "body": b"", "more_body": False} if is_whole else _GONE)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            before()
            return messages.pop(0) if messages else _GONE

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"x-signature", sign(body).encode()), (b"content-length", str(len(body)).encode())]
        extensions = {"exporter.response_taken": lambda: taken}
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "extensions": extensions}
        await self._app(scope, receive, send)
        if not sent:
            return 0, {}
        return sent[0]["status"], dict(sent[0]["headers"])


_GONE = {"type": "http.disconnect"}


def play(path: Path, act: Callable[[Receiver, Webhook], Awaitable[None]]) -> None:
    """Act on a receiver."""

    async def run() -> None:
        async with webhook_on(path / "history.sqlite3", HandClock(AT)) as hook:
            await act(Receiver(hook), hook)

    asyncio.run(run())


def test_a_full_backlog_is_refused_so_that_the_server_keeps_its_events(tmp_path: Path):
    """503 with a time to try again; afterwards the same post is taken."""

    async def act(receiver: Receiver, hook: Webhook) -> None:
        hook.inbox.pending_bytes = MIB
        status, headers = await receiver.post(BODY)
        assert (status, headers[b"retry-after"]) == (503, b"1")

        hook.inbox.pending_bytes = MIB - 1
        assert (await receiver.post(BODY))[0] == 200
        assert receiver.feed.results == {FULL: 1, STORED: 1}

    play(tmp_path, act)


def test_more_posts_at_once_than_allowed_are_refused(tmp_path: Path):
    """Small ones beyond the limit, and the third large one; what has ended makes room."""

    async def act(receiver: Receiver, hook: Webhook) -> None:
        receiver.target.receiving = MAX_POSTS
        assert (await receiver.post(BODY))[0] == 503
        receiver.target.receiving = 0
        receiver.target.large = 2
        large = [b" " * (MIB // 2)] * 3
        assert (await receiver.post(*large))[0] == 503
        assert (await receiver.post(BODY))[0] == 200
        receiver.target.large = 0
        assert (await receiver.post(*large))[0] == 200
        assert receiver.target.large == receiver.target.receiving == 0
        assert receiver.feed.results == {BUSY: 2, STORED: 2}

    play(tmp_path, act)


def test_a_body_that_ends_early_is_not_stored(tmp_path: Path):
    """Nobody is left to answer; the server repeats the post."""

    async def act(receiver: Receiver, hook: Webhook) -> None:
        assert (await receiver.post(BODY[:20], is_whole=False))[0] == 0
        assert (await receiver.post(BODY))[0] == 200
        assert receiver.feed.results == {INCOMPLETE: 1, STORED: 1}

    play(tmp_path, act)


def test_the_same_body_is_a_repetition_at_first_and_a_replay_later(tmp_path: Path):
    """The server may not have seen the answer for a while; then somebody has recorded it."""

    async def act(receiver: Receiver, hook: Webhook) -> None:
        assert (await receiver.post(BODY))[0] == 200
        hook.clock.seconds = REPEAT_SECONDS
        assert (await receiver.post(BODY))[0] == 200
        hook.clock.seconds += 1
        assert (await receiver.post(BODY))[0] == 401
        assert receiver.feed.results == {STORED: 1, REPEATED: 1, REPLAYED: 1}
        await hook.job.run_once()
        assert sum(hook.deliveries().values()) == 1

    play(tmp_path, act)


def test_whether_an_answer_arrived_is_told(tmp_path: Path):
    """Only what the client has certainly received counts as answered."""

    async def act(receiver: Receiver, hook: Webhook) -> None:
        states: Sequence[bool | None] = (True, False)
        for number, taken in enumerate(states):
            await receiver.post(body_of([event("a.b", n=number)]), taken=taken)
        assert len(receiver.feed.taken) == 1

    play(tmp_path, act)


def test_a_history_that_cannot_be_written_is_answered_with_503(tmp_path: Path):
    """The server keeps its events until it can be."""

    async def act(receiver: Receiver, hook: Webhook) -> None:
        await hook.store.aclose()
        assert (await receiver.post(BODY))[0] == 503
        assert receiver.feed.results == {NOT_STORED: 1}

    play(tmp_path, act)
