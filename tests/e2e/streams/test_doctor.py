"""`doctor` says when deliveries happen but their events do not arrive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator import Profile, StandIn
from tests.support.standin import server_table


def listened(tmp_path: Path, profile: Profile, *, mail: bool, seconds: float = 2.0) -> dict[str, Any]:
    """What doctor finds about a server whose queue delivers, or does not, while it listens."""
    config = tmp_path / "config.toml"
    over = threading.Event()
    with StandIn(profile) as server:
        config.write_text(server_table(server.url, streams="auto"))
        config.chmod(0o600)

        def deliver() -> None:
            while mail and not over.wait(0.2):
                server.call(lambda world: (world.submit(["a@ok.test"]), world.tick()))

        delivering = threading.Thread(target=deliver)
        delivering.start()
        try:
            environ = {k: v for k, v in os.environ.items() if not k.startswith("STALWART_EXPORTER_")}
            command = [sys.executable, "-m", "exporter", "doctor", "--config", str(config), "--json"]
            ended = subprocess.run(
                [*command, "--listen", str(seconds)],
                env={**environ, "STALWART_EXPORTER_CHECKS__ENABLED": "false"},
                text=True,
                capture_output=True,
                timeout=120,
                check=False,
            )
        finally:
            over.set()
            delivering.join(30)
    (finding,) = json.loads(ended.stdout)
    assert isinstance(finding, dict)
    return finding


@pytest.mark.parametrize("websocket", [False, True], ids=["sse", "websocket"])
def test_it_says_when_no_tracer_asks_for_the_events(tmp_path: Path, websocket: bool):
    """Counters that move without an event mean that nobody in the server asks for it."""
    profile = Profile(edition="enterprise", log_files=False, live_websocket=websocket)

    found = listened(tmp_path, profile, mail=True)

    assert "no tracer on the server requests them" in found["streams"]


def test_it_is_content_where_the_events_come(tmp_path: Path):
    """A log tracer is enough."""
    found = listened(tmp_path, Profile(edition="enterprise"), mail=True)

    assert found["capabilities"]["live_traces"] == "available"
    assert found["streams"] == ""


def test_it_says_nothing_where_nothing_happens(tmp_path: Path):
    """A server that delivers nothing meanwhile cannot be judged."""
    found = listened(tmp_path, Profile(edition="enterprise", log_files=False), mail=False)

    assert found["streams"] == ""


def test_it_does_not_listen_where_there_is_nothing_to_hear(tmp_path: Path):
    """A community server has no streams."""
    found = listened(tmp_path, Profile(), mail=True)

    assert found["streams"] == ""
    assert found["trouble"] == ""
