"""`queue` as a process, at stand-ins of both generations."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from exporter.simulator import World
from exporter.store.audit import audit_entries
from exporter.store.reading import reading
from tests.support.commands import command_line, environment, running
from tests.support.exporter import wait_until
from tests.support.queue_commands import NO_ENVIRONMENT, Site, site
from tests.support.rigs.operator import PERMISSIONS, SECRET, deferred
from tests.support.terminal import on_a_terminal

FLAT, JMAP = "0.15.5", "0.16.18"
BOTH = (FLAT, JMAP)
HOSTILE = (
    ".*@defer.test",
    "%",
    "x1@defer.test/../..",
    "x1~1@defer.test",
    "x1@defer.test\r\nDELETE / HTTP/1.1",
    "\u202ex1",
)

two_messages = deferred(["x1@defer.test", "xx1@defer.test"], ["y@refused.test"])


def whole_state(made: Site) -> dict[str, tuple[str, int]]:
    """Status and attempts of every recipient."""
    return made.server.call(
        lambda world: {r.address: (r.status, r.retry_num) for m in world.queue.messages.values() for r in m.recipients}
    )


@pytest.mark.parametrize("version", ["0.12.5", FLAT, "0.16.8", JMAP])
def test_a_retry_says_what_the_release_made_of_it(tmp_path: Path, version: str) -> None:
    """In the exit status, in the output and in the record."""
    with site(tmp_path, version, deferred(["y@defer.test"])) as made:
        done = made.process("retry", "--all", "--yes")
        [row] = made.log()

        ignored = version in (FLAT, "0.16.8")
        assert done.returncode == (4 if ignored else 0), done.stderr
        assert ("ignores this" in done.stdout) == ignored
        assert row["result"] == ("not_applied" if ignored else "applied")
        assert (row["action"], row["server"], row["selection"]) == ("retry", "mx1", "--all")


@pytest.mark.parametrize("version", BOTH)
def test_hostile_filters_touch_nothing(tmp_path: Path, version: str) -> None:
    """They are compared literally, and no request that changes something is sent."""
    with site(tmp_path, version, two_messages) as made:
        before = whole_state(made)

        for text in HOSTILE:
            assert made.queue("cancel", "--yes", "--recipient", text).returncode == 3, text
        assert made.process("retry", "--yes", "--text", "45[0-9]").returncode == 3
        assert whole_state(made) == before
        assert made.server.harm_done == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("retry", "--yes"),
        ("cancel", "--yes", "--recipient", " "),
        ("cancel", "--yes", ""),
        ("cancel", "--yes", "--all", "--domain", "defer.test"),
        ("retry", "--yes", "--domain", "a b"),
        ("cancel", "--yes", "--status", "failed", "--all"),
        ("retry", "--yes", "--all", "--at", "2001-01-01"),
        ("cancel", "--all"),
    ],
    ids=" ".join,
)
def test_what_is_not_clear_or_not_confirmed_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """With status 2, before anything is touched."""
    with site(tmp_path, FLAT, deferred(["y@refused.test"])) as made:
        before = whole_state(made)

        assert made.queue(*arguments).returncode == 2
        assert whole_state(made) == before
        assert made.server.harm_done == []


@pytest.mark.parametrize("version", BOTH)
def test_ids_that_are_not_there_are_named(tmp_path: Path, version: str) -> None:
    """Alone they match nothing; beside one that is there, that one is changed."""
    with site(tmp_path, version, deferred(["y@refused.test"])) as made:
        [id_] = made.ids()
        alone = made.queue("cancel", "--yes", "!!", "1")
        beside = made.json("cancel", "--yes", "1", id_)

        assert alone.returncode == 3
        assert "not a message id" in alone.stdout
        assert sorted(row["result"] for row in beside["results"]) == ["applied", "left"]
        assert made.ids() == []


@pytest.mark.parametrize("version", BOTH)
def test_without_an_operators_login_one_can_only_look(tmp_path: Path, version: str) -> None:
    """The exporter's own key reads; a change names the permissions to create."""
    with site(tmp_path, version, deferred(["y@refused.test"]), operator=False) as made:
        listed = made.queue("list")
        tried = made.queue("cancel", "--all", "--yes")

        assert listed.returncode == 0
        assert "y@refused.test" in listed.stdout
        assert tried.returncode == 2
        assert "message-queue-delete" in tried.stderr
        assert "sysQueuedMessageDestroy" in tried.stderr
        assert len(made.ids()) == 1


@pytest.mark.parametrize("version", BOTH)
def test_a_login_without_permission_is_told_so(tmp_path: Path, version: str) -> None:
    """Nothing is touched."""
    reader = frozenset({"authenticate", "message-queue-list", "message-queue-get"})
    with site(tmp_path, version, deferred(["y@refused.test"]), permissions=reader) as made:
        cancelled, paused = made.process("cancel", "--all", "--yes"), made.queue("pause", "--yes")

        assert (cancelled.returncode, paused.returncode) == (2, 2)
        assert "lacks" in cancelled.stderr
        assert "lacks" in paused.stderr
        assert len(made.ids()) == 1
        assert made.server.call(lambda world: world.running)


def test_without_a_record_nothing_is_changed(tmp_path: Path) -> None:
    """Unless that is asked for."""
    with site(tmp_path, FLAT, deferred(["y@refused.test"]), history=False) as made:
        refused = made.queue("cancel", "--all", "--yes")
        left = made.ids()
        done = made.queue("cancel", "--all", "--yes", "--no-audit")

        assert refused.returncode == 1
        assert "--no-audit" in refused.stderr
        assert len(left) == 1
        assert (done.returncode, made.ids()) == (0, [])


def test_a_server_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    """With status 1."""
    with site(tmp_path, FLAT) as made:
        made.server.stop_listening()

        assert made.queue("retry", "--all", "--yes").returncode == 1
        made.server.start_listening()


@pytest.mark.parametrize("version", BOTH)
def test_the_daemon_neither_uses_nor_needs_the_operators_login(tmp_path: Path, version: str) -> None:
    """It runs although the secret's file is gone, and the command records beside it."""
    with site(tmp_path, version, deferred(["y@refused.test"]), history=False) as made:
        secret = (tmp_path / "operator").read_text()
        (tmp_path / "operator").unlink()
        environ = {**NO_ENVIRONMENT, "STALWART_EXPORTER_STORE_PATH": ""}
        with running(tmp_path, ("run", "--config", str(made.config)), environ=environ) as daemon:
            without_secret = made.queue("cancel", "--all", "--yes")
            (tmp_path / "operator").write_text(secret)
            with_secret = made.process("cancel", "--all", "--yes")

            assert without_secret.returncode == 2
            assert "operator" in without_secret.stderr
            assert with_secret.returncode == 0
            assert [row["result"] for row in made.log()] == ["applied"]
            assert secret not in daemon.log()
        identities = {request.identity for request in made.server.requests if "login" not in request.target}
        assert identities <= {"none", "watcher", "operator", "prometheus"}


def test_no_address_is_recorded(tmp_path: Path) -> None:
    """Neither the filter's nor the message's."""
    with site(tmp_path, JMAP, two_messages) as made:
        made.queue("cancel", "--yes", "--recipient", "x1@defer.test", "--text", "<x1@defer.test> later")
        made.queue("cancel", "--yes", "--recipient", "x1@defer.test", "--sender", "alice@example.test")

        text = str(made.log())
        assert "--recipient ***" in text
        assert "@" not in text


def test_ctrl_c_stops_between_two_messages(tmp_path: Path) -> None:
    """What was requested is read back and printed, and the rest is not touched."""
    count = 200
    with site(tmp_path, FLAT, deferred(*([f"u{number}@refused.test"] for number in range(count)))) as made:
        environ = environment(tmp_path, {**NO_ENVIRONMENT, "STALWART_EXPORTER_STORE_PATH": ""})
        command = command_line("queue", "cancel", "--all", "--yes", "--config", str(made.config))
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: _records(made), what="a change is recorded", seconds=120)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait()

        left = len(made.ids())
        assert process.returncode == 130, err
        assert 0 < left < count
        assert f"{left} messages were not touched" in err
        assert f"{count - left} applied" in out


def _records(made: Site) -> int:
    with reading(made.history) as connection:
        return len(audit_entries(connection, server=None, message_id=None, most=1000))


def test_on_a_terminal_it_asks_for_the_login_and_for_confirmation(tmp_path: Path) -> None:
    """The table comes first, and the password is not shown."""
    with site(tmp_path, FLAT, deferred(["y@refused.test"]), operator=False) as made:
        environ = environment(tmp_path, {**NO_ENVIRONMENT, "STALWART_EXPORTER_STORE_PATH": ""})
        command = command_line("queue", "cancel", "--all", "--config", str(made.config))
        with on_a_terminal(command, environ) as terminal:
            terminal.read_until("User name")
            terminal.write("operator\n")
            terminal.read_until("Password")
            terminal.wait_until_hidden()
            terminal.write(f"{SECRET}\n")
            terminal.read_until(r"Cancel 1 message, 1 recipient\? \[y/N\]")
            shown = terminal.shown
            terminal.write("y\n")
            assert terminal.status() == 0

        assert "refused.test" in shown
        assert "will be removed" in shown
        assert SECRET not in terminal.shown
        assert made.ids() == []


def test_a_no_changes_nothing(tmp_path: Path) -> None:
    """The answer that is given by just pressing enter."""
    with site(tmp_path, FLAT, deferred(["y@refused.test"])) as made:
        environ = environment(tmp_path, {**NO_ENVIRONMENT, "STALWART_EXPORTER_STORE_PATH": ""})
        command = command_line("queue", "cancel", "--all", "--config", str(made.config))
        with on_a_terminal(command, environ) as terminal:
            terminal.read_until(r"\[y/N\]")
            terminal.write("\n")
            assert terminal.status() == 2

        assert "nothing was changed" in terminal.shown
        assert len(made.ids()) == 1


@pytest.mark.parametrize("version", BOTH)
def test_a_pause_and_a_resume_show_in_the_server(tmp_path: Path, version: str) -> None:
    """Due mail is attempted again."""
    with site(tmp_path, version, deferred(["y@defer.test"])) as made:
        paused = made.queue("pause", "--yes")
        stopped = not made.server.call(lambda world: world.running)
        resumed = made.queue("resume", "--yes")

        assert (paused.returncode, stopped, resumed.returncode) == (0, True, 0)
        assert made.server.call(lambda world: world.running and not world.queue.asleep)


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It needs no login of its own, and prints what would be changed."""
    with site(tmp_path, FLAT, two_messages, operator=False) as made:
        shown = made.json("cancel", "--domain", "defer.test", "--dry-run")

        assert [len(message["recipients"]) for message in shown["messages"]] == [2]
        assert made.server.harm_done == []


def test_several_servers_need_a_name(tmp_path: Path) -> None:
    """The names are listed."""
    with site(tmp_path, FLAT, World.pause_queue) as made:
        text = made.config.read_text()
        made.config.write_text(text + text[text.index("[[servers]]") :].replace('"mx1"', '"mx2"'))

        unnamed, named = made.queue("list"), made.queue("list", "--server", "mx2")

        assert unnamed.returncode == 2
        assert "mx1, mx2" in unnamed.stderr
        assert named.returncode == 3


def test_the_permissions_of_these_tests_are_those_of_the_documentation() -> None:
    """Exactly what docs/queue.md tells one to create."""
    text = (Path(__file__).parents[3] / "docs" / "queue.md").read_text()

    assert all(f"`{permission}`" in text for permission in PERMISSIONS)
