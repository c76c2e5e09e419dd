"""Posts of real servers, with their own bytes and signatures, into the running receiver."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, community, server_table
from tests.support.webhooks import OPS, OUTCOMES, SETTINGS, TABLE, Poster, RecordedPost, recorded_posts

BECAME = {
    "delivery.dsn-success": "delivered",
    "delivery.dsn-perm-fail": "permanent_failure",
    "queue.rescheduled": "temporary_failure",
}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An exporter with a webhook, beside a server on which nothing happens."""
    with StandIn(community()) as server:
        config = SETTINGS + server_table(server.url) + TABLE
        with Exporter(tmp_path, config=config) as exporter:
            yield Scene(server, exporter)


def outcomes_of(posts: list[RecordedPost]) -> dict[tuple[str, ...], float]:
    """The outcomes that happened on the recorded server: the most of each that one post has."""
    most: Counter[tuple[str, str]] = Counter()
    for post in posts:
        events = [event for event in json.loads(post.body)["events"] if event["type"] in OUTCOMES]
        most |= Counter((event["type"], json.dumps([event["createdAt"], event["data"]])) for event in events)
    totals: Counter[tuple[str, ...]] = Counter()
    for (type_, _), number in most.items():
        totals[BECAME[type_],] += number
    return dict(totals)


@pytest.mark.parametrize("recording", OPS)
@pytest.mark.parametrize("lost", ["left", "refused", "read"])
def test_each_recorded_outcome_counts_once(scene: Scene, recording: str, lost: str):
    """
    Whatever became of the posts that the recorded receiver did not answer, their events count once.

    The server did not read the answer (left), the post never arrived (refused), or a proxy lost the answer (read).
    """
    poster, posts = Poster(scene.exporter), list(recorded_posts(recording))

    for post in posts:
        if post.was_answered or lost == "read":
            assert poster.post(post.body, post.headers) == 200
        elif lost == "left":
            poster.post_and_leave(post.body, post.headers)

    wanted = outcomes_of(posts)
    assert sum(wanted.values()) == 68
    scene.wait_shown("stalwart_deliveries_total", "outcome", wanted=wanted)
    scene.wait_for("stalwart_exporter_webhook_pending_posts", 0)


@pytest.mark.parametrize("recording", OPS)
def test_a_kill_between_any_two_posts_changes_nothing(scene: Scene, recording: str):
    """Posts that were answered are counted after the next start, and what was counted is not counted again."""
    posts = list(recorded_posts(recording))

    for number, post in enumerate(posts):
        if number in (11, 27):
            scene.exporter.kill()
            scene.exporter.start()
        poster = Poster(scene.exporter)
        if post.was_answered:
            assert poster.post(post.body, post.headers) == 200
        else:
            poster.post_and_leave(post.body, post.headers)

    scene.wait_shown("stalwart_deliveries_total", "outcome", wanted=outcomes_of(posts))


@pytest.mark.fault("neighbours", "somebody repeats recorded webhook posts")
def test_a_recorded_session_posted_again_counts_nothing(scene: Scene):
    """Whoever has recorded the posts cannot count them a second time."""
    poster, posts = Poster(scene.exporter), list(recorded_posts(OPS[0]))
    for post in posts:
        poster.post(post.body, post.headers)
    wanted = outcomes_of(posts)
    scene.wait_shown("stalwart_deliveries_total", "outcome", wanted=wanted)

    for post in posts:
        poster.post(post.body, post.headers)

    scene.wait_for("stalwart_exporter_webhook_posts_total", float(len(posts)), result="repeated")
    wait_until(lambda: scene.value("stalwart_exporter_webhook_pending_posts") == 0, what="all is counted")
    assert scene.shown("stalwart_deliveries_total", "outcome") == wanted
