"""``queue`` as a process, at a stand-in whose time is real, with a history file and an operator's login."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from exporter.cli.queue.command import queue_app
from exporter.simulator import Profile, StandIn, World
from exporter.store.store import Store
from tests.support.commands import run_command
from tests.support.rigs.operator import PERMISSIONS, SECRET, add_operator, id_of
from tests.support.standin import WATCHER

SENDER = "alice@example.test"
NO_ENVIRONMENT = {"STALWART_EXPORTER_URL": "", "STALWART_EXPORTER_USERNAME": "", "STALWART_EXPORTER_PASSWORD": ""}


class Done(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Site:
    """
    A stand-in, and a directory with a configuration.

    Attributes:
        history: The history file.
    """

    server: StandIn
    directory: Path
    history: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "config.toml"

    def queue(self, *arguments: str) -> Done:
        """Runs a command to its end, in this process, which takes a tenth of the time of another."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("STALWART_EXPORTER_")]:
                patch.delenv(name)
            done = CliRunner().invoke(queue_app, [*arguments, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def process(self, *arguments: str) -> Done:
        """Runs a command to its end as a process."""
        environ = {**NO_ENVIRONMENT, "STALWART_EXPORTER_STORE_PATH": "", "STALWART_EXPORTER_LISTEN": ""}
        done = run_command(self.directory, "queue", *arguments, "--config", str(self.config), environ=environ)
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        done = self.queue(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def results(self, *arguments: str) -> list[str]:
        """The results of a change."""
        return [row["result"] for row in self.json(*arguments)["results"]]

    def ids(self) -> list[str]:
        """The messages in the stand-in's queue, oldest first, as its API spells them."""
        numbers = self.server.call(lambda world: sorted(world.queue.messages))
        return [id_of(self.server, number) for number in numbers]

    def statuses(self) -> dict[str, str]:
        """The recipients' statuses in the stand-in, by address."""
        return self.server.call(
            lambda world: {r.address: r.status for m in world.queue.messages.values() for r in m.recipients}
        )

    def log(self) -> list[dict[str, Any]]:
        """The record of changes, newest first."""
        rows: list[dict[str, Any]] = self.json("log")
        return rows


@contextmanager
def site(
    directory: Path,
    version: str,
    *begin: Callable[[World], object],
    permissions: frozenset[str] = PERMISSIONS,
    operator: bool = True,
    history: bool = True,
    **profile: Any,
) -> Iterator[Site]:
    """A stand-in after *begin*, with a login for *operator* and a *history* file."""
    with StandIn(Profile(version=version, **profile), ticking=True) as server:
        server.call(lambda world: add_operator(world, permissions))
        for step in begin:
            server.call(step)
        made = Site(server, directory, directory / "history.sqlite3")
        made.config.write_text(_config(made, operator=operator))
        if history:
            asyncio.run(_make(made.history))
        yield made


def _config(made: Site, *, operator: bool) -> str:
    jmap = made.server.call(lambda world: world.profile.jmap)
    secret = made.directory / "operator"
    secret.write_text(made.server.api_key("operator") if jmap else SECRET)
    secret.chmod(0o600)
    mine = {"token": made.server.api_key()} if jmap else dict(zip(("username", "password"), WATCHER, strict=True))
    theirs = {"token_file": str(secret)} if jmap else {"username": "operator", "password_file": str(secret)}
    server = {"name": "mx1", "url": made.server.url, "max_requests_per_minute": 10_000, **mine}
    tables = [f"[store]\n{_lines({'path': str(made.history)})}", f"[[servers]]\n{_lines(server)}"]
    return "".join([*tables, *([f"[servers.operator]\n{_lines(theirs)}"] if operator else [])])


def _lines(table: dict[str, Any]) -> str:
    # What JSON writes of strings and numbers reads the same as TOML.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


async def _make(path: Path) -> None:
    await (await Store.open(path, now=datetime.now(UTC))).aclose()
