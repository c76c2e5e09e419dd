"""The stand-in as a program, in an event loop, and its scripted day."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from exporter.simulator import ManualClock, Profile, Simulator, World, full_day, simulating
from tests.support.replays.logins import WATCHER, new_client

STATUS = "/api/queue/status"


@contextmanager
def program(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client, httpx.Client]]:
    """The stand-in as a process, a client of it and one of its control port; it must end by itself on SIGTERM."""
    command = [sys.executable, "-W", "error", "-m", "exporter.simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            urls = json.loads(process.stdout.readline())
            with new_client(urls["url"], WATCHER) as client, new_client(urls["control_url"]) as control:
                yield process, client, control
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
        finally:
            if process.poll() is None:
                process.kill()


def data(answer: httpx.Response) -> Any:
    """What an answer of the control port says."""
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_program_serves_and_obeys_its_control_port() -> None:
    """Everything a test can do in Python, another program can do over the control port."""
    with program("--no-script", "--edition", "enterprise", "--version", "0.15.5") as (_, client, control):
        queue_ids = data(control.post("/submit", json={"recipients": ["u@defer.test"], "times": 2}))
        listed = client.get("/api/queue/messages").json()["data"]["items"]
        data(control.post("/destination", json={"domain": "defer.test", "temper": "accept"}))
        data(control.post("/advance", json={"seconds": 130}))
        rows = [{"source_ip": "192.0.2.1", "count": 3}]
        about = {"report_id": "r-1", "domain": "example.test", "begin": 0, "end": 86399}
        dmarc = data(control.post("/dmarc-report", json={"org": "big.test", "rows": rows, **about}))
        policies = [{"successes": 5, "failed": 1, "failures": [["certificate-expired", 1]]}]
        data(control.post("/tls-report", json={"org": "big.test", "policies": policies, **about}))
        reports = client.get("/api/reports/dmarc").json()["data"]["items"]
        ledger = data(control.get("/ledger"))
        data(control.post("/fault", json={"kind": "status", "path": STATUS, "status": 503, "times": 1}))
        faulty = [client.get(STATUS).status_code for _ in range(2)]
        data(control.post("/rotate-secret", json={"name": "watcher", "secret": "new"}))
        refused = client.get(STATUS).status_code
        seen = data(control.get("/requests"))

    assert listed == queue_ids
    assert reports == [dmarc]
    assert ledger["reports"] == {"dmarc": 1, "tls": 1}
    assert {"outcome": "delivered", "reason": "", "code": "250", "domain": "defer.test", "count": 2} in ledger[
        "deliveries"
    ]
    assert ledger["queue"]["messages"] == 0
    assert (faulty, refused) == ([503, 200], 401)
    assert [request["status"] for request in seen] == [200, 200, 503, 200, 401]


def test_control_port_restarts_upgrades_and_says_what_it_cannot_do() -> None:
    """The server comes back as what it was told to be; mistakes are answered with a reason."""
    with program("--no-script") as (_, client, control):
        data(control.post("/restart"))
        after_restart = client.get(STATUS).status_code
        data(control.post("/upgrade", json={"version": "0.10.7"}))
        after_upgrade = client.get(STATUS).status_code
        mistakes = [
            control.post("/no-such-act").status_code,
            control.post("/advance", json={}).status_code,
            control.post("/submit", content=b"{").status_code,
            control.get("/no-such-look").status_code,
        ]

    assert (after_restart, after_upgrade) == (200, 404)
    assert mistakes == [400, 400, 400, 404]


def test_embedded_simulator_lets_time_pass_by_itself() -> None:
    """In somebody else's event loop, mail is delivered without anyone advancing the time."""

    async def watch() -> int:
        async with simulating(Profile(), speed=288.0) as simulator, httpx.AsyncClient(auth=WATCHER) as client:
            async with asyncio.timeout(60):
                while not simulator.world.ledger.outcomes()["temporary_failure"]:
                    await client.get(simulator.url + STATUS)
                    await asyncio.sleep(0.05)
            return simulator.world.ledger.outcomes()["delivered"]

    assert asyncio.run(watch()) > 0


def test_taken_port_is_an_error_at_once() -> None:
    """Two stand-ins cannot share a port."""

    async def collide() -> None:
        async with Simulator() as first:
            with pytest.raises(OSError, match="in use"):
                await Simulator(port=first.listener.port).__aenter__()

    asyncio.run(collide())


def scripted(speed: float = 288.0) -> World:
    """A world at the beginning of its scripted day."""
    world = World(Profile(edition="enterprise"), clock=ManualClock(), speed=speed)
    full_day().begin(world)
    return world


def test_ten_seconds_of_the_demo_show_mail_failures_and_a_queue() -> None:
    """At demo speed something moves in queue, failures and events within the first ten seconds."""
    world = scripted()

    world.advance(10)

    outcomes = world.ledger.outcomes()
    assert outcomes["delivered"] > 5
    assert outcomes["temporary_failure"] > 0
    assert world.queue_size() > 0
    assert world.ledger.events["queue.queue-message-authenticated"] > 5


def test_the_day_has_its_phases() -> None:
    """Backlog, a failing destination, a pause and a recovery follow each other in five minutes."""
    world = scripted()
    hour = 3600 / world.speed
    sizes, running = {}, {}

    for at_hour in (6.5, 9.5, 11.5, 14.5, 17.0, 19.5):
        world.advance(at_hour * hour - (world.now() - ManualClock().now()))
        sizes[at_hour], running[at_hour] = world.queue_size(), world.running

    assert sizes[11.5] > 3 * sizes[6.5]
    assert sizes[14.5] < sizes[11.5] / 3
    assert running == {6.5: True, 9.5: True, 11.5: True, 14.5: True, 17.0: False, 19.5: True}
    assert sizes[17.0] > 2 * sizes[19.5]
    failures = {key.reason for key in world.ledger.deliveries if key.domain == "big-mailbox.test"}
    assert {"unexpected_response", "connection_error"} <= failures


def test_scripted_mail_keeps_the_books_balanced() -> None:
    """After a whole day every outcome is still exactly one event."""
    world = scripted()

    world.advance(86_400 / world.speed)

    outcomes = world.ledger.outcomes()
    assert outcomes["delivered"] == world.ledger.events["delivery.dsn-success"]
    assert outcomes["permanent_failure"] == world.ledger.events["delivery.dsn-perm-fail"] > 0
    assert outcomes["temporary_failure"] == world.ledger.events["queue.rescheduled"]
    assert world.ledger.reports.keys() == {"dmarc", "tls", "arf"}
