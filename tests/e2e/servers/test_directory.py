"""Servers that are added, edited and removed as files while the exporter runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import WATCHER, community, server_table


def put(path: Path, text: str) -> None:
    """Replaces a file as a whole, as configuration management does."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(path)


@pytest.mark.fault("configuration", "a file of a watched directory is broken")
def test_files_of_servers_are_followed(tmp_path: Path):
    """
    A new file is watched and a removed one is not; while one is broken, everything stays as it was.

    A server that has refused the credentials is not asked again for changes of other servers' files.
    """
    directory = tmp_path / "servers.d"
    directory.mkdir()
    with StandIn(community("0.15.5")) as first, StandIn(community("0.16.18")) as second:
        put(directory / "mx1.toml", server_table(first.url, name="mx1"))
        locked = server_table(first.url, name="locked", login=(WATCHER[0], "wrong-password"), native=False)
        config = f'[discovery]\ndirectory = "{directory}"\n{locked}'
        with Exporter(tmp_path, config=config) as exporter:

            def up() -> set[str]:
                return {
                    dict(labels)["server"]
                    for (name, labels), value in exporter.samples().items()
                    if name == "stalwart_up" and value == 1
                }

            def refused() -> int:
                return len(
                    [request for request in first.requests if request.status == 401 and request.scheme != "none"]
                )

            wait_until(lambda: up() == {"mx1"} and refused() > 0, what="the first server")

            put(directory / "mx2.toml", server_table(second.url, name="mx2"))
            wait_until(lambda: up() == {"mx1", "mx2"}, what="a server that was added")

            put(directory / "mx3.toml", "[[servers]]\n")
            wait_until(
                lambda: exporter.value("stalwart_exporter_config_last_reload_successful") == 0, what="the failed reload"
            )
            assert up() == {"mx1", "mx2"}

            (directory / "mx3.toml").unlink()
            (directory / "mx2.toml").unlink()
            wait_until(lambda: up() == {"mx1"}, what="a server that was removed")
            assert exporter.value("stalwart_exporter_config_last_reload_successful") == 1
            assert refused() == 1
