"""Queue control cannot send anything but its table: no bulk form, no other object, no empty filter."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import EndpointTable, target_of
from exporter.stalwart.jmap.protocol.wire import Call, request_of
from exporter.stalwart.operator.calls import OPERATOR_CALLS, OperatorEndpoint
from tests.support.servers.raw import GOOD, always, talking

CHANGE = OperatorEndpoint.JMAP_CHANGE

GOOD_CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("x:QueuedMessage/set", {"update": {"a": {"nextRetry": "2000-01-01T00:00:00Z"}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"recipients/u@a.test/retryDue": "2000-01-01T00:00:00Z"}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"recipients/u~1v@a.test": None}}}),
    ("x:QueuedMessage/set", {"destroy": ["a"]}),
    ("x:Action/set", {"create": {"a": {"@type": "PauseMtaQueue"}}}),
    ("x:Action/set", {"create": {"a": {"@type": "ResumeMtaQueue"}}}),
]
BAD_CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("x:QueuedMessage/set", {"destroy": ["a", "b"]}),
    ("x:QueuedMessage/set", {"destroy": []}),
    ("x:QueuedMessage/set", {"destroy": "ab"}),
    ("x:QueuedMessage/set", {"#destroy": {"resultOf": "q", "name": "x:QueuedMessage/query", "path": "/ids"}}),
    ("x:QueuedMessage/set", {"update": {"a": {"nextRetry": "x"}, "b": {"nextRetry": "x"}}}),
    ("x:QueuedMessage/set", {"update": {"a": {}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"nextRetry": None}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"priority": 7}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"recipients": None}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"recipients/": None}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"recipients/u@a.test/status": {"@type": "Scheduled"}}}}),
    ("x:QueuedMessage/set", {"update": {"a": {"recipients/u@a.test/expires": None}}}),
    ("x:QueuedMessage/set", {"create": {"a": {}}}),
    ("x:Action/set", {"create": {"a": {"@type": "ReloadSettings"}}}),
    ("x:Action/set", {"create": {"a": {"@type": "PauseMtaQueue"}, "b": {"@type": "PauseMtaQueue"}}}),
    ("x:Account/set", {"destroy": ["a"]}),
    ("x:QueuedMessage/get", {"ids": None}),
]


@pytest.mark.parametrize(("method", "arguments"), GOOD_CHANGES)
def test_a_change_of_one_message_passes(method: str, arguments: dict[str, Any]) -> None:
    """The forms of the contract."""
    CHANGE.check_body(request_of([Call("c", method, arguments)]))


@pytest.mark.parametrize(("method", "arguments"), BAD_CHANGES)
def test_any_other_change_is_refused(method: str, arguments: dict[str, Any]) -> None:
    """Before it is sent."""
    with pytest.raises(ValueError, match="allow-list"):
        CHANGE.check_body(request_of([Call("c", method, arguments)]))


def test_two_changes_in_one_request_are_refused() -> None:
    """One message at a time."""
    call = Call("c", *GOOD_CHANGES[3])
    with pytest.raises(ValueError, match="allow-list"):
        CHANGE.check_body(request_of([call, call]))


@given(
    part=st.text(max_size=20) | st.sampled_from(["", ".", "..", "?text=", "1?text=x", "1/..", "%2e%2e", "1#", "\r\n"])
)
def test_no_id_leads_to_a_bulk_form(part: str) -> None:
    """Each change names one element below the list, and its only parameters are those of the table."""
    for call in (OperatorEndpoint.RETRY, OperatorEndpoint.CANCEL, OperatorEndpoint.MESSAGE):
        try:
            target = target_of(call, {}, (part,))
        except ValueError:
            continue
        assert "?" not in target
        assert target.removeprefix("/api/queue/messages/") not in ("", ".", "..")
        assert target.count("/") == 4


@pytest.mark.parametrize("params", [{"filter": ""}, {"text": "x"}, {"values": 1}, {"range-start": 1}])
def test_no_parameter_is_sent_that_the_server_would_drop(params: dict[str, str | int]) -> None:
    """An empty or unknown one would make a change of one recipient a change of the message."""
    for call in (OperatorEndpoint.RETRY, OperatorEndpoint.CANCEL):
        with pytest.raises(ValueError, match="parameter"):
            target_of(call, params, ("1",))


@pytest.mark.parametrize("text", ["a+b@x.test", "a%20b", "a&filter=b", "ä@x.test", "\u202e", "a\r\nb", "a/b", "*"])
def test_a_filter_arrives_as_it_is(text: str) -> None:
    """Encoded in full, so that it stays one value."""
    target = target_of(OperatorEndpoint.CANCEL, {"filter": text}, ("1",))

    assert target.isascii()
    assert target.count("&") == 0
    assert not set(target.partition("=")[2]) & set("+/ &\r\n")


@pytest.mark.parametrize("call", list(OperatorEndpoint))
def test_the_daemons_connections_refuse_queue_control(call: EndpointTable) -> None:
    """Whatever is passed to them."""

    async def ask() -> None:
        async with talking(always(GOOD)) as (transport, server):
            with pytest.raises(ValueError, match="not in the allow-list of this connection"):
                await transport.request(call, path_args=("1",))
            assert server.asked == []

    asyncio.run(ask())


def test_queue_control_reads_only_what_it_needs() -> None:
    """Neither logs nor accounts, reports or schemas."""
    daemon = {call for call in OPERATOR_CALLS if isinstance(call, Endpoint)}

    assert {call.name for call in daemon} == {
        *("QUEUE_MESSAGES", "QUEUE_STATUS", "JMAP_SESSION", "JMAP_ACCOUNT", "JMAP"),
    }
