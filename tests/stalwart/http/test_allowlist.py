"""Nothing but the table can be requested, whatever a caller passes."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stalwart.http.allowlist import VERSION_REQUEST, Endpoint
from exporter.stalwart.http.endpoint import Login, target_of
from tests.support.servers.raw import always, reply, run, talking

CHANGING = ("purge", "reload", "update", "train", "delete", "reindex", "undelete", "troubleshoot", "settings")

texts = st.text(max_size=20) | st.sampled_from(
    ["", ".", "..", "../x", "a/b", "%2e%2e", "a%2Fb", "a\\b", "?x=1", "#", "\n"]
)


def test_no_endpoint_of_the_table_changes_anything() -> None:
    """Only reads, and the two POSTs that are reads."""
    for endpoint in Endpoint:
        spec = endpoint.value
        assert spec.method == "GET" or endpoint in (Endpoint.VERSION, Endpoint.JMAP)
        assert not [word for word in CHANGING if word in spec.template]


@given(endpoint=st.sampled_from(list(Endpoint)), path_args=st.lists(texts, max_size=3))
def test_path_arguments_never_lead_elsewhere(endpoint: Endpoint, path_args: list[str]) -> None:
    """Each argument stays one element of the path, or the request is refused."""
    template = endpoint.value.template
    try:
        target = target_of(endpoint, {}, path_args)
    except ValueError:
        return

    elements, pattern = urlsplit(target).path.split("/"), template.split("/")
    assert len(elements) == len(pattern)
    assert dict(parse_qsl(urlsplit(target).query)) == endpoint.value.fixed
    assert "#" not in target
    assert ".." not in elements
    filled = iter(path_args)
    assert [unquote(element) for element in elements] == [next(filled) if part == "{}" else part for part in pattern]


@given(
    endpoint=st.sampled_from([e for e in Endpoint if "{}" not in e.value.template]),
    params=st.dictionaries(st.text(max_size=8) | st.sampled_from(["limit", "page", "values"]), texts | st.integers()),
)
def test_parameters_arrive_as_they_were_meant_or_not_at_all(endpoint: Endpoint, params: dict[str, str | int]) -> None:
    """Unknown names and empty values, which the server would drop silently, are refused."""
    try:
        target = target_of(endpoint, params, ())
    except ValueError:
        assert not params.keys() <= endpoint.value.parameters or "" in params.values()
        return

    sent = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=bool(params)))
    assert sent == {**endpoint.value.fixed, **{name: str(value) for name, value in params.items()}}
    assert params.keys() <= endpoint.value.parameters
    assert "" not in sent.values()


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        (Endpoint.QUEUE_MESSAGES, {"params": {"filter": "status:failed"}}),
        (Endpoint.QUEUE_MESSAGES, {"params": {"values": ""}}),
        (Endpoint.QUEUE_MESSAGES, {"params": {"values": True}}),
        (Endpoint.QUEUE_MESSAGES, {"path_args": ("1",)}),
        (Endpoint.TRACE, {"path_args": ()}),
        (Endpoint.TRACE, {"path_args": ("../../store/purge/data",)}),
        (Endpoint.TRACE, {"path_args": ("..",)}),
        (Endpoint.NATIVE_METRICS, {"credentials": Login.API}),
        (Endpoint.QUEUE_STATUS, {"credentials": Login.NATIVE}),
        (Endpoint.LOGS, {"credentials": Login.NONE}),
        (Endpoint.QUEUE_STATUS, {"body": {"x": 1}}),
        (Endpoint.VERSION, {}),
        (Endpoint.VERSION, {"body": {"type": "device", "code": "ABCD-1234"}}),
        (Endpoint.JMAP, {"body": {"using": [], "methodCalls": [["x:QueuedMessage/set", {}, "0"]]}}),
    ],
)
def test_request_outside_of_the_table_never_leaves(endpoint: Endpoint, arguments: dict[str, Any]) -> None:
    """It is a mistake of ours, found before the network."""

    async def ask() -> int:
        async with talking(always(reply(200, {"data": True}))) as (transport, server):
            with pytest.raises(ValueError, match=endpoint.label):
                await transport.request(endpoint, **arguments)
            return server.connections

    assert run(ask()) == 0


def test_ids_and_times_go_over_the_wire_unharmed() -> None:
    """Commas and exclamation marks stay, colons and plus signs are encoded."""

    async def ask() -> list[str]:
        async with talking(always(reply(200, {"data": []}))) as (transport, server):
            await transport.request(Endpoint.TRACE, path_args=("342002166178778311,342002166826798791",))
            await transport.request(Endpoint.STORED_METRICS, params={"after": "2026-01-15T10:30:00+02:00"})
            return [asked.target for asked in server.asked]

    assert run(ask()) == [
        "/api/telemetry/trace/342002166178778311,342002166826798791",
        "/api/telemetry/metrics?after=2026-01-15T10%3A30%3A00%2B02%3A00",
    ]


def test_question_for_the_version_is_sent_as_json() -> None:
    """The only POST to a server of v0.10-v0.15."""

    async def ask() -> tuple[str, str, bytes]:
        async with talking(always(reply(200, {"data": {}}))) as (transport, server):
            await transport.request(Endpoint.VERSION, body=VERSION_REQUEST)
            asked = server.asked[0]
            return asked.method, asked.headers["content-type"], asked.body

    method, content_type, body = run(ask())

    assert (method, content_type) == ("POST", "application/json")
    assert body == b'{"type":"code","client_id":"exporter","redirect_uri":null}'
