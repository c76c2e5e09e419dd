"""Batches of method calls: what may be asked, and what each failure means."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import (
    PayloadError,
    TargetBusy,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetUnsupported,
)
from exporter.stalwart.http.allowlist import JMAP_METHODS, Endpoint
from exporter.stalwart.http.credentials import Bearer
from exporter.stalwart.http.endpoint import Login
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses, failure_of, in_order, request_of
from tests.support.replays.jmap import NARROW_KEY, JmapServer, MethodError
from tests.support.replays.jmap_client import asked, transport_to
from tests.support.replays.jmap_http import serving
from tests.support.virtual_time import HandClock

QUERY = Call("q", "x:QueuedMessage/query", {"limit": 1})


def sent(server: JmapServer, body: Any) -> bytes:
    """What a server answers to a body."""

    async def run(url: str) -> bytes:
        transport = transport_to(url)
        try:
            return await transport.request(Endpoint.JMAP, body=body)
        finally:
            await transport.aclose()

    with serving(server) as url:
        return asyncio.run(run(url), debug=True)


@pytest.mark.parametrize(
    "method",
    [
        "x:QueuedMessage/set",
        "x:Action/set",
        "x:Task/set",
        "x:Report/set",
        "x:ApiKey/get",
        "Email/get",
        "x:QueuedMessage/Query",
        "x:QueuedMessage/query ",
        "",
        None,
        ["x:QueuedMessage/query"],
    ],
)
def test_no_method_but_those_of_the_list_is_ever_sent(method: Any):
    """Whatever a caller passes, among good calls or alone."""
    server = JmapServer.recorded()
    body = {"using": [], "methodCalls": [list(QUERY), [method, {}, "b"]]}

    with pytest.raises(ValueError, match="allow-list"):
        sent(server, body)

    assert server.asked == []


@pytest.mark.parametrize(
    "body", [{}, [], {"methodCalls": []}, {"using": [], "methodCalls": "x:QueuedMessage/query"}, {"using": []}, 7]
)
def test_what_is_no_batch_is_never_sent(body: Any):
    """Neither an empty one."""
    server = JmapServer.recorded()

    with pytest.raises(ValueError, match="not a JMAP request"):
        sent(server, body)

    assert server.asked == []


def test_nothing_in_the_list_changes_anything():
    """Only ``get`` and ``query``, of management objects."""
    assert {method.partition("/")[2] for method in JMAP_METHODS} == {"get", "query"}
    assert all(method.startswith("x:") for method in JMAP_METHODS)


def test_a_batch_needs_our_login():
    """It cannot be sent without one, nor with the login of the metrics page."""
    server = JmapServer.recorded()

    async def run(url: str) -> None:
        transport = transport_to(url)
        try:
            for login in (Login.NONE, Login.NATIVE):
                with pytest.raises(ValueError, match="allow-list"):
                    await transport.request(Endpoint.JMAP, body=request_of([QUERY]), credentials=login)
        finally:
            await transport.aclose()

    with serving(server) as url:
        asyncio.run(run(url), debug=True)
    assert server.asked == []


@pytest.mark.parametrize(
    ("method", "kind", "words", "served", "error", "status"),
    [
        ("x:QueuedMessage/query", "forbidden", "You are not authorized", False, TargetForbidden, None),
        ("x:Metric/query", "forbidden", "only in the Enterprise edition", False, TargetUnsupported, "not_licensed"),
        ("x:Metric/query", "serverUnavailable", "", False, TargetUnsupported, "not_configured"),
        ("x:Metric/query", "serverUnavailable", "", True, TargetServerError, None),
        ("x:QueuedMessage/query", "serverUnavailable", "", False, TargetServerError, None),
        ("x:Log/query", "invalidArguments", "", False, TargetUnsupported, "not_configured"),
        ("x:Task/query", "invalidArguments", "", False, TargetServerError, None),
        ("x:Task/query", "unknownMethod", "x:Task/query", False, TargetUnsupported, "unsupported"),
        ("x:Task/query", "unsupportedFilter", "status", False, TargetServerError, None),
        ("x:Task/query", "somethingNew", "", False, TargetServerError, None),
    ],
)
def test_each_failure_of_a_method_has_its_meaning(
    method: str, kind: str, words: str, served: bool, error: type[TargetError], status: str | None
):
    """A missing permission, a missing licence, a store that was never set up, and trouble are told apart."""
    failure = failure_of(Call("q", method, {}), kind, words, served=served)

    assert type(failure) is error
    assert getattr(failure, "status", None) == status


def test_a_missing_permission_is_named():
    """As the server spells it."""
    failure = failure_of(Call("q", "x:DmarcExternalReport/get", {}), "forbidden", "No.")

    assert "sysDmarcExternalReportGet" in str(failure)


def test_what_a_server_says_is_quoted_without_addresses():
    """And cut short."""
    failure = failure_of(QUERY, "serverPartialFail", "no such user bob@example.test " + "x" * 500)

    assert "bob@" not in str(failure)
    assert len(str(failure)) < 300


def test_calls_fail_one_by_one():
    """A result is read beside an error, whose own call alone it fails."""
    other = Call("o", "x:Task/query", {})
    body = {"methodResponses": [["error", {"type": "forbidden"}, "q"], ["x:Task/query", {"ids": []}, "o"]]}
    answers = MethodResponses(json.dumps(body).encode())

    assert answers.result(other, msgspec.json.Decoder()) == {"ids": []}
    assert (answers.failed(QUERY), answers.failed(other)) == (True, False)
    with pytest.raises(TargetForbidden):
        answers.result(QUERY, msgspec.json.Decoder())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"methodResponses": {}},
        {"methodResponses": [["x:QueuedMessage/query", {}]]},
        {"methodResponses": []},
        {"methodResponses": [["x:Task/query", {"ids": []}, "q"]]},
        {"methodResponses": [["error", {}, "q"]]},
        {"methodResponses": [["error", [], "q"]]},
    ],
)
def test_what_is_no_answer_to_our_call_is_a_payload_error(body: Any):
    """Missing, mistyped, or the answer to something else."""
    with pytest.raises(PayloadError):
        MethodResponses(json.dumps(body).encode()).result(QUERY, msgspec.json.Decoder(dict[str, Any]))


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_a_payload_error(body: bytes):
    """Nothing else comes out."""
    with pytest.raises(PayloadError):
        MethodResponses(body).result(QUERY, msgspec.json.Decoder(dict[str, Any]))


@given(st.lists(st.integers(), max_size=120))
def test_a_list_keeps_its_order(members: list[int]):
    """Although it is an object keyed by number, whose keys sort otherwise as texts."""
    listed = {str(number): member for number, member in enumerate(members)}
    shuffled = dict(sorted(listed.items()))

    assert in_order(shuffled) == members


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"using": ["urn:example:else"], "methodCalls": [["x:Log/query", {}, "q"]]}, TargetUnsupported),
        ({"using": [], "methodCalls": [["x:Log/query", {}, str(n)] for n in range(17)]}, TargetBusy),
    ],
)
def test_problems_of_a_whole_request_are_told_apart(body: Any, error: type[TargetError]):
    """Not such a server, or too much at once."""
    with pytest.raises(error):
        sent(JmapServer.recorded(), body)


def test_what_our_key_may_not_do_is_not_asked_for():
    """The refusal is known from the list of permissions, which costs the server no counter."""
    server = JmapServer.recorded()

    with pytest.raises(TargetForbidden, match="sysQueuedMessageGet"):
        asked(server, lambda client: client.fetch_queue(max_messages=0), login=Bearer(NARROW_KEY))

    assert server.batches == 0
    assert {row.status for row in server.asked} <= {200, 404}


def test_a_permission_that_is_granted_later_is_found():
    """The list is read again when something is asked for that it forbids, an hour later or a minute."""
    server = JmapServer.recorded()
    granted = server.account
    server.account = {**granted, "permissions": ["authenticate"]}
    clock = HandClock()

    async def job(client: Any) -> int:
        with pytest.raises(TargetForbidden):
            await client.fetch_queue(max_messages=0)
        server.account = granted
        clock.seconds = 3600.0
        return int((await client.fetch_queue(max_messages=0)).messages)

    assert asked(server, job, clock=clock) == 13


def test_a_licence_that_ran_out_is_told_by_the_edition():
    """Nothing that needs it is asked for."""
    server = JmapServer.recorded()
    server.account = {**server.account, "edition": "community"}

    with pytest.raises(TargetUnsupported) as caught:
        asked(server, lambda client: client.fetch_traces([1]))

    assert caught.value.status == "not_licensed"
    assert server.batches == 0


def test_a_licence_that_runs_out_meanwhile_is_told_by_the_refusal():
    """The permission is there, so it cannot be what is missing."""
    server = JmapServer.recorded()
    server.account = {**server.account, "edition": "enterprise"}
    server.error["x:Trace/get"] = MethodError("forbidden", "This feature is only available in the Enterprise edition.")

    with pytest.raises(TargetUnsupported) as caught:
        asked(server, lambda client: client.fetch_traces([1]))

    assert caught.value.status == "not_licensed"


def test_refused_credentials_are_sent_once():
    """Whatever is asked for afterwards."""
    server = JmapServer.recorded()

    async def job(client: Any) -> None:
        for _ in range(3):
            with pytest.raises(TargetRefused):
                await client.identify()
            with pytest.raises(TargetRefused):
                await client.fetch_queue(max_messages=0)

    asked(server, job, identify=False, login=Bearer("API_wrong"))

    assert [row.status for row in server.asked] == [401]
