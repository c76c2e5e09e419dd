"""Log events: their names, their keys, and what is left out."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

import exporter
from exporter.app.logging import set_up_logging
from exporter.app.servers.supervise import Supervisor
from tests.support.virtual_time import HandClock

NAME = re.compile(r"[a-z_]+\.(?:[a-z_]+_)?(?:[a-z]+ed|begun|found|lost|shut|withheld)")
METHODS = frozenset({"debug", "info", "warning", "error", "exception"})
OTHER_WORDS = frozenset({"cause", "exception", "message", "msg", "seconds", "text", "why"})
"""Keys that stand for ``error``, ``reason`` or a duration without saying of what."""


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def log_calls() -> list[tuple[str, ast.Call]]:
    """Each call of a module's ``log`` in the package, with its place."""
    package = Path(exporter.__file__).parent
    return [
        (f"{path.relative_to(package)}:{node.lineno}", node)
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and node.func.attr in METHODS
    ]


def test_every_event_is_a_noun_and_what_happened_to_it():
    """The names are `noun.verb_past`, as in `stream.connected`."""
    calls = log_calls()
    names = {place: str(node.args[0].value) for place, node in calls if isinstance(node.args[0], ast.Constant)}
    assert len(names) > 30
    assert {place: name for place, name in names.items() if not NAME.fullmatch(name)} == {}


def test_the_cause_has_one_key_everywhere():
    """An event carries its cause as `error` or `reason`, and durations in keys that end in `_seconds`."""
    keys = {f"{place} {word.arg}" for place, node in log_calls() for word in node.keywords if word.arg in OTHER_WORDS}
    assert keys == set()


def test_empty_fields_are_left_out(capsys: pytest.CaptureFixture[str]):
    """A field with no content is not written; zero and false are content."""
    set_up_logging(level="info", style="json")
    structlog.get_logger().info("server.detected", version="", note=None, problems=[], count=0, ok=False)
    event = json.loads(capsys.readouterr().err)
    assert {key: event[key] for key in event if key not in ("timestamp", "level")} == {
        "event": "server.detected",
        "count": 0,
        "ok": False,
    }


def test_what_a_server_s_task_logs_names_the_server(capsys: pytest.CaptureFixture[str]):
    """Also an event from a module that does not know the server's name."""
    set_up_logging(level="info", style="json")

    async def run() -> None:
        structlog.get_logger().warning("traces.truncated", traces=5000)
        raise LookupError

    supervisor = Supervisor(clock=HandClock(), rng=random.Random(1), reraise_bugs=True)  # noqa: S311 - jitter
    with pytest.raises(LookupError):
        asyncio.run(supervisor.keep_running(run, task="traces", server="mx1"))
    structlog.get_logger().warning("store.reopened")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["server"] == "mx1"
    assert "server" not in second
