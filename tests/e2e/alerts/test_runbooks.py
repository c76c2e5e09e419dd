"""Every command of every runbook works on a server of each generation, and does what the page says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from exporter.simulator import StandIn, World
from exporter.simulator.world.ids import encode_id
from exporter.simulator.world.mail.limits import Limit
from tests.support.alerts.runbooks import HOST_COMMANDS, JMAP, REST, blocks, is_about_the_server, names, programs, run
from tests.support.standin import WATCHER, enterprise, mail

VERSIONS = ("0.12.5", "0.15.5", "0.16.18")
SENDER = "alice@example.test"
BANNED = "192.0.2.7"
KNOWN_PROGRAMS = {"head", "grep", "sed", "sort", "uniq", "jq", "for", "do", "done", "echo", "cat", "openssl", "curl"}


def generation(version: str) -> str:
    return JMAP if version.startswith("0.16") else REST


@dataclass(frozen=True)
class Patient:
    """
    A server about which something is to be done.

    Attributes:
        message: The number of a message that is being deferred.
        task: The number of a task that has failed.
    """

    server: StandIn
    version: str
    message: int
    task: int

    def environment(self, name: str) -> dict[str, str]:
        """What the README tells one to set, and what the commands ask for."""
        jmap = generation(self.version) is JMAP
        number = self.task if name == "StalwartTasksFailed" else self.message
        return {
            "SERVER": self.server.url,
            "HOST": "mx1.example.test",
            "LOGIN": ":".join(WATCHER),
            "KEY": self.server.api_key() if jmap else "",
            "ADMIN": "admin:lab-admin-secret",
            "ID": encode_id(number) if jmap else str(number),
            "ADDRESS": BANNED if name == "StalwartBans" else SENDER,
            "DOMAIN": "defer.test",
        }


@contextmanager
def ill(version: str) -> Iterator[Patient]:
    """A server with mail that is deferred, rejected, held and turned away, a banned address and a failed task."""
    with StandIn(enterprise(version)) as server:
        mail(server, "one@defer.test", "two@defer.test", "gone@reject.test")
        mail(server, "late@defer.test")

        def worsen(world: World) -> tuple[int, int]:
            world.inventory.block(BANNED, "authFailure")
            world.ban(BANNED)
            world.limits.inbound.append(Limit("arriving", 1))
            world.receive(["bob@example.test"], sender="list@elsewhere.test")
            world.receive(["bob@example.test"], sender="list@elsewhere.test")
            world.limits.outbound.append(Limit("leaving", 0, domain="example.test"))
            world.submit(["bob@example.test"], size=100)
            world.tick()
            task = world.inventory.add_task("AcmeRenewal", status="Failed", attempts=3, reason="no challenge worked")
            return min(world.queue.messages), task.number

        message, task = server.call(worsen)
        yield Patient(server, version, message, task)


WITH_COMMANDS = [
    name for name in names() if any(is_about_the_server(line) for b in blocks(name) for line in b.text.splitlines())
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_every_command_works(name: str, version: str):
    """Pasted one block after the other, each ends well and without a word of complaint."""
    with ill(version) as patient:
        for block in blocks(name):
            lines = [line for line in block.lines_for(generation(version)) if is_about_the_server(line)]
            done = run(lines, patient.environment(name))

            assert (done.returncode, done.stderr) == (0, ""), f"{block.text}\n{done.stderr}"
            if any(line.endswith("head -1") for line in lines):
                assert re.match(r"HTTP/1.1 200 ", done.stdout), block.text


FINDS = {
    "StalwartQueueBacklog": ("defer.test", SENDER),
    "StalwartQueueOldestMessage": ("one@defer.test",),
    "StalwartQueuePaused": ("defer.test",),
    "StalwartQueueStuck": ("delivery.attempt-start",),
    "StalwartDestinationDeferring": ("one@defer.test", "two@defer.test"),
    "StalwartDeliveryFailureRatio": ("delivery.dsn-perm-fail", "gone@reject.test"),
    "StalwartBans": (BANNED,),
    "StalwartLocalMailHeld": ("leaving", "bob@example.test", "3600000ms"),
    "StalwartInboundMailLimited": ("arriving", "192.0.2.30", "bob@example.test"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", FINDS)
def test_the_diagnosis_finds_what_is_wrong(name: str, version: str):
    """What the page says one sees is in the output."""
    with ill(version) as patient:
        lines = [
            line
            for block in blocks(name)
            for line in block.lines_for(generation(version))
            if is_about_the_server(line) and "admin" not in line and "DELETE" not in line
        ]
        told = run(lines, patient.environment(name)).stdout

    assert [word for word in FINDS[name] if word not in told] == []


def _is_gone(patient: Patient) -> bool:
    return patient.server.call(lambda world: patient.message not in world.queue.messages)


def _is_running(patient: Patient) -> bool:
    return patient.server.call(lambda world: world.running)


def _is_tried(patient: Patient) -> bool:
    def tried(world: World) -> bool:
        before = [r.retry_num for r in world.queue.messages[patient.message].recipients]
        world.tick()
        return before != [r.retry_num for r in world.queue.messages[patient.message].recipients]

    return patient.server.call(tried)


def _none_of_the_sender_is_left(patient: Patient) -> bool:
    return patient.server.call(lambda world: SENDER not in {m.return_path for m in world.queue.messages.values()})


def _is_let_in(patient: Patient) -> bool:
    return patient.server.call(lambda world: BANNED not in world.gate.banned and BANNED in world.inventory.allowed)


CURES: dict[str, Callable[[Patient], bool]] = {
    "StalwartQueueBacklog": _none_of_the_sender_is_left,
    "StalwartQueueOldestMessage": _is_gone,
    "StalwartQueuePaused": _is_running,
    "StalwartQueueStuck": _is_tried,
    "StalwartQueueExpired": _is_tried,
    "StalwartBans": _is_let_in,
}

IGNORED = {("StalwartQueueStuck", "0.15.5"), ("StalwartQueueExpired", "0.15.5")}
"""A retry that the release accepts and ignores, as the page says; it still wakes the queue."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CURES)
def test_the_mitigation_helps(name: str, version: str):
    """What an administrator pastes changes what the page says, and not before."""
    with ill(version) as patient:
        patient.server.call(World.pause_queue) if name == "StalwartQueuePaused" else None
        before = CURES[name](patient)
        for block in blocks(name):
            lines = [line for line in block.lines_for(generation(version)) if is_about_the_server(line)]
            run(lines, patient.environment(name))

        assert (before, CURES[name](patient)) == (False, (name, version) not in IGNORED)


def test_a_failed_task_can_be_removed():
    """From v0.16 on, where there are tasks to see."""
    with ill("0.16.18") as patient:
        for block in blocks("StalwartTasksFailed"):
            told = run(block.lines_for(JMAP), patient.environment("StalwartTasksFailed"))
            assert (told.returncode, told.stderr) == (0, "")

        assert patient.server.call(lambda world: patient.task not in world.inventory.tasks)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in CURES if name != "StalwartBans"])
def test_a_command_without_its_value_changes_nothing(name: str, version: str):
    """With `ID` or `ADDRESS` forgotten, bash refuses; the server is asked for no deletion."""
    with ill(version) as patient:
        queue = patient.server.call(lambda world: set(world.queue.messages))
        for block in blocks(name):
            environment = patient.environment(name) | {"ID": "", "ADDRESS": ""}
            run(block.lines_for(generation(version)), environment)

        assert patient.server.call(lambda world: set(world.queue.messages)) == queue


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refusal_is_printed_as_an_error(version: str):
    """A key that may not, a message that is not there and a server that is gone are no quiet success."""
    with ill(version) as patient:
        environment = patient.environment("StalwartQueueStuck")
        [retry] = [block for block in blocks("StalwartQueueStuck") if "nextRetry" in block.text]
        lines = retry.lines_for(generation(version))
        gone = run(lines, environment | {"ID": "jll13wiaaaab" if generation(version) is JMAP else "1"})
        reader = run(lines, environment | {"ADMIN": ":".join(WATCHER)})
    away = run(lines, environment)

    assert all(done.returncode != 0 and done.stderr for done in (gone, reader, away))


@pytest.mark.parametrize("name", names())
def test_a_block_has_a_part_for_each_generation_or_is_for_all(name: str):
    """What asks the management API stands in a part; a part for one generation alone says why in its comment."""
    for block in blocks(name):
        if set(block.parts) == {JMAP}:
            continue
        assert set(block.parts) in (set(), {REST, JMAP}), block.text
        for line in block.common:
            uses_the_api = re.match(r"(api|jmap|list|ask)\b|.*(/api/|/jmap/)", line)
            assert not uses_the_api, line


@pytest.mark.parametrize("name", names())
def test_the_shell_understands_every_block(name: str):
    """Also what asks the host: bash reads it, and its programs are known."""
    for block in blocks(name):
        read = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")
        for line in (line for lines in (block.common, *block.parts.values()) for line in lines):
            if not is_about_the_server(line) and not line.startswith("curl"):
                known = {*KNOWN_PROGRAMS, "stalwart-exporter", *(c for c in HOST_COMMANDS if " " not in c)}
                assert set(programs(line)) <= known, line


def test_no_runbook_needs_the_servers_own_command_line():
    """`stalwart-cli` speaks to servers up to v0.15 only."""
    assert [name for name in (*names(), "README") if any("stalwart-cli" in b.text for b in blocks(name))] == []
