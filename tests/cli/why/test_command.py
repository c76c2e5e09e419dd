"""`stalwart-exporter why`: exit statuses, JSON, and what stands on the screen."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from exporter.cli.main import app
from exporter.store.audit import AuditEntry, begin_entry, end_entry
from exporter.store.reading import writing
from exporter.store.trail.masking import Addresses
from tests.support.replays.told import PRINTED, RECENT, columns_wide, golden, keep_recent, printed
from tests.support.replays.trail import FOLDERS, stories
from tests.support.trails import new_history

CASES = ("sub-delivered", "sub-deferred", "sub-rejected-dsn", "in-unknown", "sub-partly-rejected", "list")
STATUSES = {
    "u@ok.test": 0,
    "nobody@nowhere.invalid": 3,
    "d@defer.test": 4,
    "u@reject.test": 5,
    "nobody@example.test": 6,
    "defer.test": 4,
    "reject.test": 5,
    "ok.test": 0,
    "12": 3,
    "": 3,
}
"""What scripts rely on, by question."""


@pytest.fixture(scope="module", params=FOLDERS)
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of a few cases, of either generation."""
    path = tmp_path_factory.mktemp("why") / "h.sqlite3"
    keep_recent(path, request.param, CASES)
    return path


def call(path: Path, *arguments: str) -> Result:
    """The command without a server."""
    return CliRunner().invoke(app, ["why", *arguments, "--store", str(path), "--offline"])


def fields(path: Path, *arguments: str) -> Any:
    """Its JSON."""
    return json.loads(call(path, *arguments, "--json").stdout)


def test_the_exit_status_is_the_fate(history: Path):
    """As the help and the documentation list them."""
    assert {what: call(history, what).exit_code for what in STATUSES} == STATUSES


def test_a_missing_history_is_an_error(tmp_path: Path):
    """Not a message that was not found."""
    result = call(tmp_path / "missing.sqlite3", "u@ok.test")

    assert result.exit_code == 1
    assert "no such file" in result.stderr


@pytest.mark.parametrize("option", [["--since", "soon"], ["--only-domain", "a b"], ["--limit", "99"]])
def test_invalid_options_are_usage_errors(history: Path, option: list[str]):
    """Status 2, as everywhere."""
    assert call(history, "u@ok.test", *option).exit_code == 2


def test_json_has_the_same_members_whatever_it_is_about(history: Path):
    """So a script need not know beforehand what it will get."""
    found = {what: fields(history, what) for what in STATUSES if what}

    members = {tuple(one) for one in found.values()}
    assert len(members) == 1
    assert {what: one["exit_status"] for what, one in found.items()} == {w: s for w, s in STATUSES.items() if w}
    assert {one["kind"] for one in found.values()} == {"message", "refusal", "domain", "nothing"}


def test_a_message_in_json_has_its_ids_recipients_and_time_line(history: Path):
    """The parts that docs/why.md describes."""
    message = fields(history, "m@reject.test")["message"]

    number = int(message["queue_id"])
    assert int(message["queue_id_hex"], 16) == number
    assert {one["address"]: one["state"] for one in message["recipients"]} == {
        "m@ok.test": "delivered",
        "m@reject.test": "bounced",
        "bob@example.test": "delivered",
    }
    assert [one["at"] for one in message["timeline"]] == sorted(one["at"] for one in message["timeline"])
    assert message["bounces"][0]["status"] == "delivered"
    assert message["live"]["in_queue"] == "absent"


def test_every_spelling_of_a_queue_id_finds_the_message(history: Path):
    """Decimal as in logs, hexadecimal as in the reply to the sender, base 32 as in the JMAP API."""
    message = fields(history, "d@defer.test")["message"]
    spellings = [message["queue_id"], message["queue_id_hex"], f"0x{message['queue_id_hex']}", message["queue_id_jmap"]]

    found = [fields(history, spelling)["message"]["queue_id"] for spelling in spellings]

    assert found == [message["queue_id"]] * 4


def test_a_message_id_finds_the_message_with_and_without_brackets(history: Path):
    """As a mail program shows it, or as a log does."""
    message = fields(history, "m@reject.test")["message"]
    id_ = message["message_id"]
    if id_ is None:
        pytest.fail("the local delivery has a message id in both recordings")

    assert fields(history, id_)["message"]["queue_id"] == message["queue_id"]
    assert fields(history, f"<{id_}>")["message"]["queue_id"] == message["queue_id"]


def test_the_replies_to_other_messages_are_part_of_the_evidence(history: Path):
    """The destination has refused more than one."""
    found = fields(history, "u@reject.test")

    (destination,) = [one for one in found["destinations"] if one["domain"] == "reject.test"]
    assert {one["queue_id"] for one in destination["outcomes"]} > {found["message"]["queue_id"]}


def test_older_mail_is_left_out_with_since(history: Path):
    """All of it is older than an hour."""
    assert call(history, "u@ok.test", "--since", "1h").exit_code == 3
    assert "--since" in call(history, "u@ok.test", "--since", "1h").stdout


def test_another_server_has_nothing(history: Path):
    """The name of a server is part of each key."""
    assert call(history, "u@ok.test", "--server", "mx2").exit_code == 3
    assert call(history, "u@ok.test", "--server", "mx1").exit_code == 0


@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("what", ["d@defer.test", "m@reject.test", "defer.test", "nobody@example.test", "x@y.test"])
def test_no_line_is_wider_than_the_terminal(history: Path, what: str, columns: int):
    """On a narrow one, cells are folded."""
    with columns_wide(columns):
        text = call(history, what).stdout

    assert [line for line in text.splitlines() if cell_len(line.rstrip()) > max(columns, 60)] == []


@pytest.mark.parametrize("title", PRINTED)
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_printed_answer_is_the_kept_one(tmp_path: Path, folder: str, title: str):
    """`python -m tests.support.replays.told` writes them again; read the difference."""
    assert printed(tmp_path / "h.sqlite3", folder, title) == golden(folder, title).read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_exact_address_is_found_by_its_hash(tmp_path: Path, folder: str):
    """And is not printed in full, since it is not stored."""
    path = tmp_path / "h.sqlite3"
    keep_recent(path, folder, ["sub-deferred"], addresses=Addresses.HASHED)

    result = call(path, "D@defer.test")

    assert result.exit_code == 4
    assert re.search(r"(?<![a-z2-7])d@defer\.test", result.stdout.lower()) is None
    assert call(path, "other@defer.test").exit_code == 3


@pytest.mark.parametrize("folder", FOLDERS)
def test_where_only_domains_are_stored_the_domain_answers(tmp_path: Path, folder: str):
    """And says so."""
    path = tmp_path / "h.sqlite3"
    keep_recent(path, folder, ["sub-deferred"], addresses=Addresses.DOMAIN)

    result = call(path, "d@defer.test")

    assert result.exit_code == 4
    assert "Only the domain of addresses is stored" in result.stdout


def test_an_empty_trail_says_where_it_comes_from(tmp_path: Path):
    """A new exporter knows nothing yet."""
    path = tmp_path / "h.sqlite3"
    new_history(path)

    result = call(path, "u@ok.test")

    assert result.exit_code == 3
    assert "it begins when the daemon reads the first deliveries" in result.stdout


def test_a_trail_that_is_switched_off_says_so(tmp_path: Path):
    """Before anything else."""
    path, config = tmp_path / "h.sqlite3", tmp_path / "config.toml"
    new_history(path)
    config.write_text("[trail]\nenabled = false\n")

    result = call(path, "u@ok.test", "--config", str(config))

    assert "switched off" in result.stdout


def test_an_id_from_after_the_newest_event_is_not_read_yet(history: Path):
    """The time in a queue id tells."""
    ended = datetime.now(UTC) - RECENT

    later = call(history, str(id_given_out(ended + timedelta(hours=2))))
    earlier = call(history, str(id_given_out(ended - timedelta(hours=2))))

    assert "ask again in a minute" in later.stdout
    assert "before the trail begins" in earlier.stdout


def id_given_out(at: datetime) -> int:
    """A queue id of that time: milliseconds since 2021-09-22T03:06:40Z, above a sequence number and a node."""
    return int((at - datetime(2021, 9, 22, 3, 6, 40, tzinfo=UTC)).total_seconds() * 1000) << 21


def test_similar_names_are_suggested(history: Path):
    """A typing error is the most likely cause."""
    assert "d@defer.test" in call(history, "e@defer.test").stdout
    assert "defer.test" in call(history, "defre.test").stdout


def test_the_recordings_have_what_is_asked(history: Path):
    """The cases of this module are in both of them."""
    assert all(set(CASES) <= stories(folder).keys() for folder in FOLDERS)


def test_what_operators_did_to_a_message_is_part_of_the_answer(tmp_path: Path):
    """Whether it was cancelled with this program is on record; a tenant's administrator is not told by whom."""
    path = tmp_path / "h.sqlite3"
    keep_recent(path, FOLDERS[0], ["sub-deferred"])
    message = fields(path, "d@defer.test")["message"]
    now = datetime.now(UTC)
    for spelled in (message["queue_id"], message["queue_id_jmap"], "1"):
        entry = AuditEntry(
            at=now, os_user="ops", server="mx1", action="cancel", message_id=spelled, recipients=0, selection="id"
        )
        with writing(path) as connection:
            end_entry(connection, begin_entry(connection, entry), result="done", detail="")

    notes = fields(path, "d@defer.test")["notes"]
    hidden = fields(path, "d@defer.test", "--only-domain", "defer.test")["notes"]

    assert len([note for note in notes if note.startswith("Queue control: cancel by ops at")]) == 2
    assert [note for note in hidden if "Queue control" in note] == []
