"""`why` beside a running exporter, and after it has stopped, with a server of each generation."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.simulator import World
from tests.support.commands import command_line
from tests.support.exporter import wait_until
from tests.support.standin import Scene, community, counting, enterprise, fleet

SERVERS = {
    "log-0.12": community("0.12.5"),
    "log-0.15": community("0.15.5"),
    "log-0.16": community("0.16.18"),
    "traces-0.15": enterprise("0.15.5"),
    "traces-0.16": enterprise("0.16.18"),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Scene]]:
    """One exporter, which watches servers of every generation over log and traces."""
    with fleet(tmp_path_factory.mktemp("why"), SERVERS) as found:
        counting(found.values())
        for scene in found.values():
            scene.mail("good@ok.test")
            scene.mail("late@defer.test")
            scene.mail("gone@reject.test")
            scene.server.call(stranger)
        yield found


def stranger(world: World) -> None:
    """Somebody outside writes to a mailbox that does not exist."""
    world.receive(["nobody@example.test"], sender="someone@partner.test")


def run(scene: Scene, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a process, with the configuration and the history of the exporter."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STALWART_EXPORTER_")}
    return subprocess.run(
        command_line(*arguments, "--config", str(scene.exporter.config_path)),
        env={**clean, "STALWART_EXPORTER_STORE_PATH": str(scene.exporter.directory / "history.sqlite3")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def asked(scene: Scene, what: str, *arguments: str) -> Any:
    """The JSON of ``why``."""
    done = run(scene, "why", what, "--server", scene.name, "--json", *arguments)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["exit_status"] == done.returncode
    return found


def await_status(scene: Scene, what: str, status: str) -> Any:
    """Asks until the daemon has read what has happened."""
    last: list[Any] = [None]

    def reached() -> bool:
        last[0] = asked(scene, what)
        return bool(last[0]["status"] == status)

    wait_until(reached, what=f"{what} at {scene.name} is {status}", seconds=120)
    return last[0]


@pytest.mark.parametrize("name", SERVERS)
def test_each_fate_is_told_beside_the_running_exporter(scenes: dict[str, Scene], name: str):
    """From the log or from traces, with the queue as it is now."""
    scene = scenes[name]

    delivered = await_status(scene, "good@ok.test", "delivered")
    waiting = await_status(scene, "late@defer.test", "queued")
    failed = await_status(scene, "gone@reject.test", "failed")

    assert "from alice@example.test to good@ok.test" in delivered["happened"]
    assert waiting["message"]["live"]["in_queue"] == "present"
    assert "451" in waiting["happened"]
    assert "550" in failed["happened"]
    assert [one["status"] for one in failed["message"]["bounces"]] == ["delivered"]


@pytest.mark.parametrize("name", [name for name in SERVERS if name.startswith("log")])
def test_a_refused_stranger_is_told(scenes: dict[str, Scene], name: str):
    """Over the address that does not exist."""
    found = await_status(scenes[name], "nobody@example.test", "refused")

    assert "the mailbox does not exist" in found["happened"]


@pytest.mark.parametrize("name", SERVERS)
def test_a_cancelled_message_is_not_called_waiting(scenes: dict[str, Scene], name: str):
    """The queue knows what no event says."""
    scene = scenes[name]
    scene.mail("never@defer.test")
    id_ = await_status(scene, "never@defer.test", "queued")["message"]["queue_id"]
    scene.server.call(lambda world: world.queue.messages.pop(int(id_)))

    found = asked(scene, id_)

    assert found["status"] == "unknown"
    assert found["message"]["live"]["in_queue"] == "absent"


def test_the_history_of_a_stopped_exporter_answers(scenes: dict[str, Scene]):
    """And names the server that does not answer."""
    scene = scenes["log-0.15"]
    await_status(scene, "late@defer.test", "queued")
    scene.exporter.stop()
    scene.server.stop_listening()
    try:
        found = asked(scene, "late@defer.test")
        listed = run(scene, "trail", "list", "--server", scene.name)
    finally:
        scene.server.start_listening()
        scene.exporter.start()

    assert found["status"] == "queued"
    assert found["message"]["live"]["in_queue"] == "unknown"
    assert found["message"]["live"]["trouble"]
    assert "late@defer.test" in listed.stdout
