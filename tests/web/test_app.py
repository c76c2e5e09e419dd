"""The pages over real sockets."""

from __future__ import annotations

import gzip

import pytest

from exporter.web.interfaces import Format
from tests.support.listener.app import (
    CountingReloader,
    FixedHealth,
    FixedMetrics,
    Run,
    application,
    browsing,
    serving,
)


@pytest.mark.parametrize("fmt", list(Format))
@pytest.mark.parametrize("compressed", [False, True])
def test_metrics_are_the_bytes_that_lay_ready(run: Run, fmt, compressed):
    """Body, type and coding are those of the negotiated form, and caches are told what it depends on."""
    text = b'stalwart_up{server="mx1"} 1\n' * 40_000
    metrics = FixedMetrics({(fmt, False): text, (fmt, True): gzip.compress(text)})
    asked = {"Accept": fmt.value, "Accept-Encoding": "gzip" if compressed else "identity"}

    async def scenario() -> None:
        async with serving(application(metrics=metrics)) as server, browsing(server) as client:
            response = await client.get("/metrics", headers=asked)

            assert response.status_code == 200
            assert response.content == text
            assert response.headers["content-type"] == fmt.value
            assert response.headers.get("content-encoding") == ("gzip" if compressed else None)
            assert response.headers["vary"] == "Accept, Accept-Encoding"
            assert metrics.asked == [(fmt, compressed)]

    run(scenario())


def test_accept_given_in_several_headers_is_read_as_one(run: Run):
    """A list that was split over header lines negotiates like the joined one."""
    metrics = FixedMetrics()

    async def scenario() -> None:
        async with serving(application(metrics=metrics)) as server, browsing(server) as client:
            await client.get(
                "/metrics",
                headers=[
                    ("Accept", "text/plain;q=0.1"),
                    ("Accept", "application/openmetrics-text"),
                    ("Accept-Encoding", "identity;q=0.1"),
                    ("Accept-Encoding", "gzip"),
                ],
            )

    run(scenario())

    assert metrics.asked == [(Format.OPENMETRICS, True)]


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/-/ready"])
def test_head_answers_like_get_without_the_body(run: Run, path):
    """HEAD gives the status and headers of GET and no byte more."""

    async def scenario() -> None:
        async with serving(application()) as server, browsing(server) as client:
            got = await client.get(path)
            headed = await client.head(path)

            assert headed.status_code == got.status_code == 200
            assert headed.content == b""
            assert int(got.headers["content-length"]) > 0
            for name in ("content-type", "content-length", "vary", "cache-control"):
                assert headed.headers.get(name) == got.headers.get(name)

    run(scenario())


def test_healthy_while_the_loop_runs(run: Run):
    """The liveness page is ok whether or not anything was collected yet."""

    async def scenario() -> None:
        async with serving(application(health=FixedHealth((False, "waiting")))) as server, browsing(server) as client:
            response = await client.get("/-/healthy")

            assert (response.status_code, response.text.strip()) == (200, "ok")
            assert response.headers["cache-control"] == "no-store"

    run(scenario())


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
def test_ready_says_why(run: Run, ready, status):
    """Readiness is a status for programs and a reason for people."""

    async def scenario() -> None:
        health = FixedHealth((ready, "mx2 was not asked yet"))
        async with serving(application(health=health)) as server, browsing(server) as client:
            response = await client.get("/-/ready")

            assert (response.status_code, response.text) == (status, "mx2 was not asked yet\n")

    run(scenario())


def test_reload_applies_the_configuration_if_it_is_turned_on(run: Run):
    """POST asks the reloader once, whatever the request's body says."""
    reloader = CountingReloader()

    async def scenario() -> None:
        async with serving(application(reloader=reloader)) as server, browsing(server) as client:
            response = await client.post("/-/reload", content=b"x" * 1000)

            assert (response.status_code, response.text) == (200, "reloaded\n")

    run(scenario())

    assert reloader.calls == 1


def test_reload_that_fails_names_every_problem(run: Run):
    """A bad configuration is a 500 with one line for each problem."""
    reloader = CountingReloader(problems=("servers[0].url: is missing", "web.listen: no port"))

    async def scenario() -> None:
        async with serving(application(reloader=reloader)) as server, browsing(server) as client:
            response = await client.post("/-/reload")

            assert response.status_code == 500
            assert response.text.splitlines()[1:] == ["servers[0].url: is missing", "web.listen: no port"]

    run(scenario())


def test_reload_is_forbidden_if_it_is_turned_off(run: Run):
    """The answer says how to reload instead."""

    async def scenario() -> None:
        async with serving(application()) as server, browsing(server) as client:
            response = await client.post("/-/reload")

            assert response.status_code == 403
            assert "SIGHUP" in response.text

    run(scenario())


def test_reload_refuses_a_foreign_web_page(run: Run):
    """A form on some page, sent by an operator's browser, reloads nothing."""
    reloader = CountingReloader()

    async def scenario() -> None:
        async with serving(application(reloader=reloader)) as server, browsing(server) as client:
            response = await client.post("/-/reload", headers={"Origin": "https://evil.example"})

            assert response.status_code == 403

    run(scenario())

    assert reloader.calls == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/-/reload", 405, {"POST"}),
        ("POST", "/metrics", 405, {"GET", "HEAD"}),
        ("DELETE", "/", 405, {"GET", "HEAD"}),
        ("GET", "/nothing", 404, None),
        ("GET", "/metrics/", 404, None),
        ("GET", "//evil.example/", 404, None),
        ("GET", "/-/../metrics%2f", 404, None),
    ],
)
def test_other_methods_and_paths_are_refused_in_plain_text(run: Run, method, path, status, allowed):
    """Nothing redirects, and a wrong method is told the right ones."""

    async def scenario() -> None:
        async with serving(application(reloader=CountingReloader())) as server, browsing(server) as client:
            response = await client.request(method, f"http://127.0.0.1:{server.port}{path}")

            assert response.status_code == status
            assert response.headers["content-type"] == "text/plain; charset=utf-8"
            if allowed:
                assert set(response.headers["allow"].split(", ")) == allowed

    run(scenario())


def test_the_status_page_may_not_be_kept_framed_or_extended(run: Run):
    """The page's headers forbid caching, framing and anything that is not its own style sheet."""

    async def scenario() -> None:
        async with serving(application()) as server, browsing(server) as client:
            headers = (await client.get("/")).headers

            policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
            assert policy.pop("style-src").startswith("'sha256-")
            assert policy == {
                "default-src": "'none'",
                "img-src": "data:",
                "frame-ancestors": "'none'",
                "base-uri": "'none'",
                "form-action": "'self'",
            }
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"

    run(scenario())


def test_a_status_page_that_is_off_names_the_metrics_page_and_nothing_else(run: Run):
    """Neither a server nor a path is told, and the other pages are there."""

    async def scenario() -> None:
        async with serving(application(shows_status=False)) as server, browsing(server) as client:
            off = await client.get("/")
            metrics = await client.get("/metrics")

        assert off.status_code == 404
        assert "/metrics" in off.text
        assert "mx1" not in off.text
        assert metrics.status_code == 200

    run(scenario())
