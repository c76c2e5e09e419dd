"""What the server's queue holds now is part of the answer, and cannot keep the rest of it back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from exporter.cli.main import app
from exporter.model.trail import MessageKind
from exporter.simulator import World
from exporter.simulator.world.mail.limits import Limit
from exporter.store.trail.rows import MessageRow, OutcomeRow, TrailRows
from tests.support.queue_commands import SENDER, Site, site
from tests.support.trails import write_rows

VERSIONS = ("0.12.5", "0.15.5", "0.16.18")
RECIPIENT = "late@defer.test"


def submit(world: World) -> None:
    """A message that its destination puts off."""
    world.submit([RECIPIENT], sender=SENDER)
    world.tick()


def number(made: Site) -> int:
    """The only message in the stand-in's queue."""
    (found,) = made.server.call(lambda world: list(world.queue.messages))
    return int(found)


def keep(made: Site, queue_id: int, second: int = 0) -> None:
    """A trail in which the message was put off once."""
    at = second or int(made.server.call(lambda world: world.now()))
    rows = TrailRows()
    rows.messages[queue_id] = MessageRow(
        queue_id=queue_id, at=at, accepted_at=at, kind=MessageKind.SUBMITTED, sender=SENDER, recipients=1
    )
    rows.recipients[queue_id, RECIPIENT] = ("remote", at)
    deferral = ("temporary_failure", "unexpected_response", "451", "defer.test", "remote", "", "", "")
    rows.outcomes.append(OutcomeRow(queue_id, at, *deferral, "log", 1))
    write_rows(made.history, rows)


def why(made: Site, *arguments: str) -> Result:
    """The command with the configuration of the site, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("STALWART_EXPORTER_")]:
            patch.delenv(name)
        return CliRunner().invoke(app, ["why", *arguments, "--config", str(made.config)])


def fields(made: Site, *arguments: str) -> Any:
    """Its JSON."""
    result = why(made, *arguments, "--json")
    assert result.stdout, result.output
    return json.loads(result.stdout)


@contextmanager
def waiting(directory: Path, version: str) -> Iterator[tuple[Site, str]]:
    """A message in the queue and in the trail, and its queue id in decimal."""
    with site(directory, version, submit, operator=False) as made:
        keep(made, number(made))
        yield made, str(number(made))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_waiting_message_has_its_state_from_the_queue(tmp_path: Path, version: str):
    """Status, attempts, next attempt and expiry are those of the server, and the advice has the id as it spells it."""
    with waiting(tmp_path, version) as (made, id_):
        result, found = why(made, RECIPIENT), fields(made, id_)
        spelled = made.ids()[0]

    assert result.exit_code == 4
    assert f"stalwart-exporter queue retry --server mx1 {spelled}" in result.stdout
    live = found["message"]["live"]
    assert (live["in_queue"], live["trouble"]) == ("present", None)
    (recipient,) = live["message"]["recipients"]
    assert (recipient["address"], recipient["status"]) == (RECIPIENT, "temporary_failure")
    assert recipient["next_retry_at"] == found["message"]["recipients"][0]["now"]["next_retry_at"]
    assert "451" in recipient["reply"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_that_is_gone_is_not_called_waiting(tmp_path: Path, version: str):
    """Long after its last event, an operator must have cancelled it."""
    with waiting(tmp_path, version) as (made, id_):
        keep(made, int(id_), second=1_790_000_000)
        made.server.call(lambda world: world.queue.messages.clear())
        result = why(made, id_)

    assert result.exit_code == 7
    assert "no longer in the queue" in result.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_but_reads_of_this_message_is_sent(tmp_path: Path, version: str):
    """Whatever the server offers, the command cannot change it."""
    with waiting(tmp_path, version) as (made, id_):
        before = len(made.server.requests)
        why(made, id_)
        sent = made.server.requests[before:]

    assert {request.method for request in sent} <= {"GET", "POST"}
    assert {request.path for request in sent if request.method == "POST"} <= {"/jmap/"}
    assert len(sent) <= 8


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_does_not_answer_leaves_the_answer_of_the_trail(tmp_path: Path, version: str):
    """With the reason in words, and the same exit status."""
    with waiting(tmp_path, version) as (made, id_):
        pass
    found = fields(made, id_)

    assert found["exit_status"] == 4
    assert found["message"]["live"]["in_queue"] == "unknown"
    assert "mx1" in found["message"]["live"]["trouble"] or "connect" in found["message"]["live"]["trouble"].lower()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_may_not_read_the_queue_is_named(tmp_path: Path, version: str):
    """So is the permission that it lacks."""
    with waiting(tmp_path, version) as (made, id_):
        made.server.call(forbid)
        result = why(made, id_)

    assert result.exit_code == 4
    assert "message-queue-get" in result.stdout


def forbid(world: World) -> None:
    """Take the permission to read queued messages from the watching key."""
    world.directory.grant("watcher", frozenset({"authenticate", "logs-view", "sysLogGet", "sysLogQuery"}))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_login_is_sent_once(tmp_path: Path, version: str):
    """A hundred wrong logins per day would ban the address."""
    with waiting(tmp_path, version) as (made, id_):
        made.config.write_text(made.config.read_text().replace("lab-watcher-secret", "wrong").replace("API_", "API_x"))
        before = len(made.server.requests)
        found = fields(made, id_)
        refused = [request for request in made.server.requests[before:] if request.status == 401]

    assert found["exit_status"] == 4
    assert "401" in found["message"]["live"]["trouble"] or "credentials" in found["message"]["live"]["trouble"]
    assert len(refused) <= 2


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_message_held_by_the_servers_own_limit_says_so(tmp_path: Path, version: str):
    """Not its destination, but this server's configuration keeps it back."""

    def hold(world: World) -> None:
        world.limits.outbound.append(Limit("leaving", 0, domain="ok.test"))
        world.submit([RECIPIENT.replace("defer", "ok")], sender=SENDER)
        world.tick()

    with site(tmp_path, version, hold, operator=False) as made:
        found = fields(made, str(number(made)))

    assert "held back by this server's own rate limit" in found["happened"]
    assert found["message"]["recipients"][0]["now"]["limiter"] == "rate"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_the_trail_does_not_have_is_found_in_the_queue(tmp_path: Path, version: str):
    """It was accepted before the trail began."""
    with site(tmp_path, version, submit, operator=False) as made:
        spelled = made.ids()[0]
        found = fields(made, spelled)
        nothing = why(made, "1")

    assert found["exit_status"] == 4
    assert found["message"]["is_in_trail"] is False
    assert RECIPIENT in found["happened"]
    assert nothing.exit_code == 3


def test_without_a_configuration_the_history_alone_answers(tmp_path: Path):
    """Whoever may read the history need not know the servers' secrets."""
    with waiting(tmp_path, "0.15.5") as (made, id_), pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("STALWART_EXPORTER_")]:
            patch.delenv(name)
        result = CliRunner().invoke(app, ["why", id_, "--store", str(made.history)])

    assert result.exit_code == 4
    assert "the configuration cannot be used" in result.stdout
