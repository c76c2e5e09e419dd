"""Which server it is, asked without credentials first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from exporter.errors import (
    PayloadError,
    TargetBusy,
    TargetError,
    TargetRefused,
    TargetServerError,
    TargetUnreachable,
)
from exporter.model.server import Edition, Generation, ServerIdentity
from exporter.stalwart.detect import RestDetector
from tests.support.paths import RECORDINGS
from tests.support.servers.raw import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    Asked,
    Handler,
    RawServer,
    always,
    problem,
    reply,
    run,
    talking,
)

SESSION = reply(200, {"capabilities": {"urn:ietf:params:jmap:core": {}}, "apiUrl": "https://mx/jmap/", "username": ""})
VERSION = {"code": "x", "permissions": ["authenticate", "logs-view"], "version": "0.15.5", "isEnterprise": False}

# Without credentials, then with.
STATUS, STATUS_AS_US, JMAP, OAUTH = "status", "status with login", "session", "oauth"


def answering(answers: Mapping[str, bytes]) -> Handler:
    """A server that has the given answers, and 404 for the rest."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.get(question_of(asked), NOT_FOUND))

    return handle


def question_of(asked: Asked) -> str:
    if asked.path == "/api/queue/status":
        return STATUS_AS_US if "authorization" in asked.headers else STATUS
    return {"/jmap/session": JMAP, "/api/oauth": OAUTH}.get(asked.path, asked.path)


def detected(handler: Handler, *, ask_version: bool = False) -> tuple[ServerIdentity, RawServer]:
    async def work() -> tuple[ServerIdentity, RawServer]:
        async with talking(handler) as (transport, server):
            return await RestDetector(transport, ask_version=ask_version).detect(), server

    return run(work())


def trouble(handler: Handler) -> tuple[TargetError, RawServer]:
    async def work() -> tuple[TargetError, RawServer]:
        async with talking(handler) as (transport, server):
            with pytest.raises(TargetError) as caught:
                await RestDetector(transport).detect()
            return caught.value, server

    return run(work())


def questions(server: RawServer) -> list[str]:
    return [question_of(asked) for asked in server.asked]


REST = {STATUS: UNAUTHORIZED, STATUS_AS_US: reply(200, {"data": True})}


def test_server_that_asks_for_credentials_is_of_the_rest_generation() -> None:
    """Two requests tell, the first without credentials."""
    identity, server = detected(answering(REST))

    assert identity == ServerIdentity(generation=Generation.REST)
    assert questions(server) == [STATUS, STATUS_AS_US]


@pytest.mark.parametrize("recording", ["rest-0.12.5", "rest-0.15.5"])
def test_recorded_rest_server_is_detected(recording: str) -> None:
    """By its own answers."""
    rows = json.loads((RECORDINGS / recording / "exchanges.json").read_text())
    kept: dict[str, bytes] = {}
    for row in rows:
        if row["path"] == "/api/queue/status" and row["as"] in ("none", "watcher"):
            question = STATUS if row["as"] == "none" else STATUS_AS_US
            kept.setdefault(question, reply(row["status"], row["body"], content_type=row["headers"]["content-type"]))

    identity, _ = detected(answering(kept))

    assert (identity.generation, identity.note) == (Generation.REST, "")


def test_server_of_v0_16_gets_no_credentials() -> None:
    """It shows its session to everybody, which is enough."""
    identity, server = detected(answering({STATUS: NOT_FOUND, JMAP: SESSION}))

    assert identity.generation is Generation.JMAP
    assert questions(server) == [STATUS, JMAP]
    assert not [asked for asked in server.asked if "authorization" in asked.headers]


@pytest.mark.parametrize(
    "session",
    [
        NOT_FOUND,
        UNAUTHORIZED,
        FORBIDDEN,
        reply(200, b"<html>webmail</html>", content_type="text/html"),
        reply(200, {"status": "ok"}),
    ],
)
def test_server_without_either_api_is_explained_in_words(session: bytes) -> None:
    """Another program, or a wrong port: no credentials go there."""
    identity, server = detected(answering({STATUS: NOT_FOUND, JMAP: session}))

    assert identity.generation is Generation.UNKNOWN
    assert "wrong port" in identity.note
    assert questions(server) == [STATUS, JMAP]


@pytest.mark.parametrize(
    ("status", "words"), [(reply(200, {"data": True}), "without credentials"), (FORBIDDEN, "allowed-endpoint")]
)
def test_first_answer_that_no_stalwart_gives_is_explained_in_words(status: bytes, words: str) -> None:
    """And nothing more is asked."""
    identity, server = detected(answering({STATUS: status}))

    assert identity.generation is Generation.UNKNOWN
    assert words in identity.note
    assert questions(server) == [STATUS]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (problem(403, "Forbidden", "Forbidden"), TargetRefused),
        (problem(429, "Too Many Requests", "Please try again."), TargetBusy),
        (reply(302, b""), PayloadError),
        (reply(200, b"<html>nginx</html>", content_type="text/html"), PayloadError),
        (reply(502, b""), TargetServerError),
    ],
)
def test_server_that_cannot_be_asked_now_is_trouble(status: bytes, kind: type[TargetError]) -> None:
    """A ban, a limit and a proxy say nothing of the generation; no credentials go out."""
    error, server = trouble(answering({STATUS: status}))

    assert type(error) is kind
    assert questions(server) == [STATUS]


def test_connection_that_is_closed_names_the_ban() -> None:
    """Nothing is asked again by itself."""

    async def close(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.close()

    error, server = trouble(close)

    assert type(error) is TargetUnreachable
    assert "server.blocked-ip" in str(error)
    assert len(server.asked) == 1


def test_refused_credentials_end_detection_after_one_request() -> None:
    """The password goes out once, whoever asks again."""

    async def work() -> list[str]:
        async with talking(always(UNAUTHORIZED)) as (transport, server):
            detector = RestDetector(transport, ask_version=True)
            for _ in range(3):
                with pytest.raises(TargetRefused):
                    await detector.detect()
            return questions(server)

    assert run(work()).count(STATUS_AS_US) == 1


def test_key_without_the_permission_is_good_all_the_same() -> None:
    """What it lacks is named."""
    identity, _ = detected(answering({**REST, STATUS_AS_US: FORBIDDEN}))

    assert identity.generation is Generation.REST
    assert "message-queue-get" in identity.note


def test_server_of_v0_10_is_told_by_its_404() -> None:
    """It has no queue status."""
    identity, _ = detected(answering({**REST, STATUS_AS_US: NOT_FOUND}))

    assert identity.generation is Generation.REST
    assert "v0.10" in identity.note


@pytest.mark.parametrize(("enterprise", "edition"), [(False, Edition.COMMUNITY), (True, Edition.ENTERPRISE)])
def test_version_edition_and_permissions_come_from_one_answer(enterprise: bool, edition: Edition) -> None:
    """If they are wanted and the key may ask."""
    answer = reply(200, {"data": {**VERSION, "isEnterprise": enterprise}})

    identity, server = detected(answering({**REST, OAUTH: answer}), ask_version=True)

    assert identity == ServerIdentity(
        generation=Generation.REST,
        version="0.15.5",
        edition=edition,
        permissions=frozenset({"authenticate", "logs-view"}),
    )
    asked = server.asked[-1]
    assert (asked.method, json.loads(asked.body)) == (
        "POST",
        {"type": "code", "client_id": "exporter", "redirect_uri": None},
    )


def test_version_is_not_asked_for_unless_wanted() -> None:
    """Each such question leaves a code behind on the server."""
    _, server = detected(answering({**REST, OAUTH: reply(200, {"data": VERSION})}))

    assert OAUTH not in questions(server)


def test_version_of_v0_10_is_empty() -> None:
    """Its answer has no such member."""
    told: dict[str, Any] = {key: value for key, value in VERSION.items() if key != "version"}

    identity, _ = detected(answering({**REST, OAUTH: reply(200, {"data": told})}), ask_version=True)

    assert (identity.version, identity.edition) == ("", Edition.COMMUNITY)


@pytest.mark.parametrize("answer", [FORBIDDEN, NOT_FOUND])
def test_version_that_may_not_be_asked_for_is_no_error(answer: bytes) -> None:
    """Most keys lack the permission; the note says that it is missing."""
    identity, _ = detected(answering({**REST, OAUTH: answer}), ask_version=True)

    assert (identity.generation, identity.version) == (Generation.REST, "")
    assert "version unknown" in identity.note
