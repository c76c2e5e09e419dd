"""What the receiver accepts, and what it refuses."""

from __future__ import annotations

import base64
import http.client
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, community, server_table
from tests.support.webhooks import KEY, PATH, SETTINGS, TABLE, Poster, body_of, event, sign, signed

POSTS = "stalwart_exporter_webhook_posts_total"
ATTEMPT = {"spanId": 7, "queueId": 9, "queueName": "remote", "from": "a@example.test", "size": 1, "total": 1}


def delivered(to: str = "u@ok.test", at: str = "2026-11-30T10:00:00Z", **data: object) -> dict[str, object]:
    """A delivery."""
    own = {"to": to, "hostname": "mx.ok.test", "code": 250, "details": "OK"}
    return event("delivery.dsn-success", at, **{**ATTEMPT, **own, **data})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An exporter with a webhook, beside a server on which nothing happens."""
    with (
        StandIn(community()) as server,
        Exporter(tmp_path, config=SETTINGS + server_table(server.url) + TABLE) as exporter,
    ):
        yield Scene(server, exporter)


def results(scene: Scene) -> dict[tuple[str, ...], float]:
    """The posts so far, by result."""
    return scene.shown(POSTS, "result")


@pytest.mark.fault("credentials", "webhook posts are forged or altered")
def test_a_post_without_a_good_signature_is_refused_in_one_way(scene: Scene):
    """Unsigned, malformed, foreign and altered: always the same 401, and nothing is counted or kept."""
    poster, body = Poster(scene.exporter), body_of([delivered()])
    other = base64.b64encode(b"x" * 32).decode()

    statuses = {
        poster.post(body, {}),
        poster.post(body, {"x-signature": "nonsense"}),
        poster.post(body, {"x-signature": other}),
        poster.post(body, signed(body, "another-key")),
        poster.post(body + b" ", signed(body)),
        poster.post(body, {"x-signature": sign(body) + ", " + other}),
    }

    assert statuses == {401}
    scene.wait(lambda: results(scene) == {("unsigned",): 1, ("forged",): 5}, lambda: f"{results(scene)}")
    assert scene.shown("stalwart_deliveries_total", "outcome") == {}
    assert rows(scene, "webhook_post") == rows(scene, "webhook_body") == 0


def test_only_posts_to_the_configured_path_are_taken(scene: Scene):
    """Other paths and methods are refused, and the pages are not served on this port."""
    poster, body = Poster(scene.exporter), body_of([delivered()])

    assert poster.post(body, signed(body), method="PUT") == 405
    assert poster.post(body, signed(body), method="GET") == 405
    for path in ("/", "/metrics", "/trail/", "/trail2"):
        assert Poster(scene.exporter, path).post(body) == 404


@pytest.mark.fault("process", "killed after it answered a webhook post")
def test_a_post_that_was_answered_is_counted_after_a_kill(scene: Scene):
    """The body is committed before the answer; what was counted is removed from the file."""
    scene.exporter.kill()
    scene.exporter.start()
    assert Poster(scene.exporter).post(body_of([delivered()])) == 200
    scene.exporter.kill()

    scene.exporter.start()

    scene.wait_shown("stalwart_deliveries_total", "outcome", "code", wanted={("delivered", "250"): 1})
    scene.wait_for("stalwart_exporter_webhook_pending_posts", 0)
    assert rows(scene, "webhook_body") == rows(scene, "webhook_chunk") == 0


def test_equal_events_are_real(scene: Scene):
    """Equal events of one post, and an event equal to an answered one, all count."""
    poster = Poster(scene.exporter)

    assert poster.post(body_of([delivered(), delivered()])) == 200
    wait_until(lambda: scene.shown("stalwart_deliveries_total", "outcome") == {("delivered",): 2}, what="two count")
    assert poster.post(body_of([delivered("v@ok.test"), delivered()])) == 200

    scene.wait_shown("stalwart_deliveries_total", "outcome", wanted={("delivered",): 4})


@pytest.mark.fault("protocol", "a webhook post of 50 MB")
def test_a_body_of_fifty_megabytes_is_taken_within_bounded_memory(scene: Scene):
    """A backlog is stored and counted in full, and the process grows by far less than the body."""
    size = 50_000_000
    text = "x" * 2000
    many = size // len(text)
    body = body_of(delivered(f"u{number}@ok.test", details=text) for number in range(many))
    assert len(body) >= size
    before = peak_memory(scene)

    assert Poster(scene.exporter).post(body) == 200

    scene.wait_shown("stalwart_deliveries_total", "outcome", wanted={("delivered",): float(many)})
    assert peak_memory(scene) - before < size


@pytest.mark.fault("protocol", "a webhook post larger than accepted")
def test_a_body_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path):
    """Its length alone is enough, and a body without a length is cut off at the limit."""
    settings = SETTINGS + 'max_body = "1MiB"\n'
    with (
        StandIn(community()) as server,
        Exporter(tmp_path, config=settings + server_table(server.url) + TABLE) as exporter,
    ):
        scene, port = Scene(server, exporter), Poster(exporter).port
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-signature: {sign(b'')}\r\n"

        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"{head}content-length: 1048577\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 413
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunk * 16 + b"1\r\nx\r\n")
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 413

        scene.wait_for(POSTS, 2, result="too_large")


@pytest.mark.fault("store", "webhook posts arrive faster than they are counted")
def test_a_full_backlog_is_answered_with_503_and_taken_later(tmp_path: Path):
    """While posts cannot be counted, they are kept up to the limit; then the server keeps them."""
    settings = SETTINGS + 'max_backlog = "1MiB"\n'
    with (
        StandIn(community()) as server,
        Exporter(tmp_path, config=settings + server_table(server.url) + TABLE) as exporter,
    ):
        scene = Scene(server, exporter)
        exporter.stop()
        with sqlite3.connect(tmp_path / "history.sqlite3") as history:
            # A backlog that an earlier run has left; its body is not JSON, so it counts nothing.
            history.execute("INSERT INTO webhook_body (id, server, at, stored, done) VALUES (1, 'mx1', 0, 2000000, 0)")
        history.close()
        exporter.start()

        scene.wait_for("stalwart_exporter_webhook_pending_posts", 0)
        assert Poster(exporter).post(body_of([delivered()])) == 200

        scene.wait_shown("stalwart_deliveries_total", "outcome", wanted={("delivered",): 1})
        assert scene.value("stalwart_exporter_webhook_unreadable_posts_total") == 1


def test_posts_on_the_address_of_the_pages_need_no_login(tmp_path: Path):
    """Without an address of their own they come in front of the pages, whose login they do not know."""
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_users:\n  ops: $2b$04$tCDKxQ5jjgsJvvZBGVvsFexE8SPzTcTv3zHVMTbQ1zDHbNE3nZQdO\n")
    config = f'[web]\nconfig_file = "{web}"\n'
    with (
        StandIn(community()) as server,
        Exporter(tmp_path, config=config + server_table(server.url) + TABLE) as exporter,
    ):
        body = body_of([delivered("u" * 100_000 + "@ok.test")])

        assert Poster(exporter).post(body) == 200
        assert Poster(exporter).post(body, {}) == 401
        assert Poster(exporter, "/metrics").post(b"", {}, method="GET") == 401


def test_the_key_and_what_is_posted_appear_nowhere(scene: Scene):
    """Neither the log nor the metrics show the key, an address or a part of a body."""
    poster = Poster(scene.exporter)
    poster.post(body_of([delivered("secret-person@ok.test")]))
    poster.post(b'{"events":[{"secret-person"', signed(b'{"events":[{"secret-person"'))
    scene.wait_for("stalwart_exporter_webhook_unreadable_posts_total", 1)

    shown = scene.page() + scene.exporter.log() + scene.page("/")

    assert KEY not in shown
    assert "secret-person" not in shown


def rows(scene: Scene, table: str) -> int:
    """The rows of a table of the history file."""
    history = sqlite3.connect(f"file:{scene.exporter.directory / 'history.sqlite3'}?mode=ro", uri=True)
    try:
        number: int = history.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own
        return number
    finally:
        history.close()


def peak_memory(scene: Scene) -> int:
    """The most memory that the exporter has had, in bytes."""
    status = Path(f"/proc/{scene.exporter.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
