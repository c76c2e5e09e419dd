"""Who a server is: its edition, our permissions, and whether its counters can be believed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError, TargetRefused, TargetUnsupported
from exporter.model.server import Edition, Generation, ServerIdentity
from exporter.model.telemetry import ServerTotals
from exporter.stalwart.http.credentials import Basic, Bearer
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.schema import CounterNames, counter_names, fingerprint_of
from tests.support.replays.jmap import NARROW_KEY, UNAUTHORIZED, JmapServer
from tests.support.replays.jmap_client import asked
from tests.support.replays.jmap_http import problem
from tests.support.virtual_time import HandClock

WRONG = {"MetricType": [{"name": "auth.failed"}], "DkimSignatureType": [{"name": "Dkim1RsaSha256"}]}
RIGHT = {"MetricType": [{"name": "auth.failed"}, {"name": "smtp.dkim2-pass"}], "Other": {"a": 1}}
MISNAMED = b"# HELP x x\n# TYPE resource_error counter\nresource_error 7\n# TYPE server_memory gauge\nserver_memory 5\n"


def identity_of(server: JmapServer, **settings: Any) -> ServerIdentity:
    """Who a server is."""
    return asked(server, lambda client: client.identify(), identify=False, **settings)


def page_of(server: JmapServer) -> ServerTotals:
    """Its metrics page."""
    return asked(server, lambda client: client.fetch_native_totals())


@pytest.mark.parametrize(
    ("told", "edition"),
    [
        ("enterprise", Edition.ENTERPRISE),
        ("community", Edition.COMMUNITY),
        ("oss", Edition.COMMUNITY),
        ("galactic", Edition.UNKNOWN),
    ],
)
def test_the_edition_is_what_the_server_says(told: str, edition: Edition):
    """Also where it is not ours to know."""
    server = JmapServer.recorded()
    server.account = {**server.account, "edition": told}

    assert identity_of(server).edition is edition


def test_a_narrow_key_is_told_what_it_may_do():
    """Nothing is refused on the way."""
    server = JmapServer.recorded()

    identity = identity_of(server, login=Bearer(NARROW_KEY))

    assert identity.permissions == {"authenticate", "sysQueuedMessageQuery"}
    assert {row.status for row in server.asked} <= {200, 404}


def test_an_account_with_a_password_is_recognised_too():
    """Basic is as good as a key."""
    identity = identity_of(JmapServer.recorded(), login=Basic("watcher@example.test", "lab-watcher-secret"))

    assert identity.generation is Generation.JMAP


def test_a_key_without_the_right_to_log_in_may_do_nothing():
    """The server answers 403 to everything; it is asked no more than once."""
    server = JmapServer.recorded()
    answer = server.answer

    def refuse(identity: str, method: str, path: str, body: bytes) -> Any:
        if identity == "watcher":
            return problem({"type": "about:blank", "status": 403, "title": "Forbidden", "detail": "No permission."})
        return answer(identity, method, path, body)

    server.answer = refuse  # type: ignore[method-assign]

    identity = identity_of(server)

    assert (identity.generation, identity.permissions) == (Generation.JMAP, frozenset())
    assert [row.path for row in server.asked] == ["/api/account"]


def test_a_server_that_is_not_set_up_says_so():
    """In bootstrap mode every call is forbidden; none is made."""
    server = JmapServer.recorded()
    server.account = {**server.account, "permissions": ["sysBootstrapGet", "sysBootstrapUpdate"]}

    async def job(client: JmapClient) -> str:
        identity = await client.identify()
        with pytest.raises(TargetUnsupported, match="bootstrap"):
            await client.fetch_queue(max_messages=0)
        return identity.note

    assert "bootstrap" in asked(server, job, identify=False)
    assert server.batches == 0


def test_something_else_that_answers_is_unknown():
    """404 to the one path that every server of this generation has."""
    server = JmapServer.recorded()
    server.answer = lambda *request: problem({"status": 404})  # type: ignore[method-assign]

    assert identity_of(server).generation is Generation.UNKNOWN


def test_refused_credentials_are_refused():
    """After one request."""
    server = JmapServer.recorded()

    with pytest.raises(TargetRefused):
        identity_of(server, login=Bearer("API_wrong"))

    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"permissions": "all", "edition": "oss"}', b'{"permissions": []}'])
def test_an_account_that_cannot_be_read_is_a_payload_error(body: bytes):
    """Permissions and edition are needed."""
    server = JmapServer.recorded()
    server.answer = lambda *request: (200, {"content-type": "application/json"}, body)  # type: ignore[method-assign]

    with pytest.raises(PayloadError):
        identity_of(server)


def test_a_defective_release_is_known_by_its_schema():
    """Its counters are withheld, its gauges and histograms are not, and the identity says why."""
    server = JmapServer.recorded()
    server.schema = WRONG

    totals = page_of(server)

    assert (totals.counters, totals.unknown) == ({}, {})
    assert "v0.16.12" in totals.counters_withheld
    assert totals.gauges["server.memory"] == 93925376
    assert totals.histograms["delivery.total-time"].count == 25
    assert "v0.16.12" in identity_of(server).note


def test_a_repaired_release_is_believed():
    """Its schema has what v0.16.12 added."""
    server = JmapServer.recorded()
    server.schema = RIGHT

    totals = page_of(server)

    assert totals.counters["auth.failed"] == 5
    assert totals.counters_withheld == ""


@pytest.mark.parametrize("name", ["delivery_connect", "imap_copy", "auth_warning", "network_set_opt_error"])
@pytest.mark.parametrize("schema", [None, RIGHT])
def test_counters_that_no_healthy_release_has_give_a_page_away(name: str, schema: dict[str, Any] | None):
    """Whatever the schema says."""
    server = JmapServer.recorded()
    server.schema = schema
    server.native += f"# TYPE {name} counter\n{name} 3\n".encode()

    assert page_of(server).counters == {}


def test_without_a_schema_any_event_that_is_never_counted_gives_a_page_away():
    """`server.shutdown` stands where `server.thread-error` should."""
    server = JmapServer.recorded()
    server.native += b"# TYPE server_shutdown counter\nserver_shutdown 1\n"

    assert page_of(server).counters == {}
    server.schema = RIGHT
    assert page_of(server).counters["auth.failed"] == 5


def test_a_defective_page_without_a_schema_is_believed_only_while_it_gives_no_cause():
    """What looks healthy cannot be told from what is."""
    server = JmapServer.recorded()
    server.native = MISNAMED

    assert page_of(server).counters == {"resource.error": 7}


def test_the_schema_is_read_once_for_each_release():
    """Its address changes with it."""
    server = JmapServer.recorded()
    server.schema = RIGHT

    async def job(client: JmapClient) -> None:
        for _ in range(3):
            await client.identify()

    asked(server, job, identify=False)

    paths = [row.path for row in server.asked]
    assert (paths.count("/api/schema"), paths.count("/api/schema/Abc-123_fingerprint")) == (3, 1)


def test_a_schema_that_is_refused_stops_nothing_but_is_not_overheard():
    """Credentials that are refused there are refused."""
    server = JmapServer.recorded()
    answer = server.answer

    def refuse(identity: str, method: str, path: str, body: bytes) -> Any:
        return problem(UNAUTHORIZED) if path == "/api/schema" else answer(identity, method, path, body)

    server.answer = refuse  # type: ignore[method-assign]

    with pytest.raises(TargetRefused):
        identity_of(server)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_schema_or_tell_nothing(body: bytes):
    """Packed or not, whole or cut."""
    assert counter_names(body) is CounterNames.UNKNOWN
    assert counter_names(b"\x1f\x8b" + body) is CounterNames.UNKNOWN
    assert counter_names(gzip.compress(body)) is CounterNames.UNKNOWN


@given(st.integers(0, 100))
def test_a_cut_schema_tells_nothing(cut: int):
    """Half of it could lack what the other half has."""
    packed = gzip.compress(json.dumps({"enums": RIGHT}).encode())

    assert counter_names(packed) is CounterNames.RIGHT
    assert counter_names(packed[: min(cut, len(packed) - 20)]) is CounterNames.UNKNOWN


@pytest.mark.parametrize(
    ("link", "fingerprint"),
    [
        (b"/api/schema/25gnm1_xB9bPk-puX9VTFMP1W5V-1muUWuK964-_uEw", "25gnm1_xB9bPk-puX9VTFMP1W5V-1muUWuK964-_uEw"),
        (b"https://mx.example.test/api/schema/abcdefgh/", "abcdefgh"),
        (b"https://evil.example/store/purge?x=1", ""),
        (b"/api/schema/../../store/purge%2f", ""),
        (b"", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_of_a_redirect_only_a_fingerprint_is_taken(link: bytes, fingerprint: str):
    """It leads nowhere but to the schema."""
    assert fingerprint_of(link) == fingerprint


def test_an_upgrade_that_went_unnoticed_is_found_within_the_hour():
    """A quick restart between two polls shows nowhere else; meanwhile the counters stay withheld."""
    server = JmapServer.recorded()
    server.schema = WRONG
    clock = HandClock()

    async def job(client: JmapClient) -> list[int]:
        counted = [len((await client.fetch_native_totals()).counters)]
        server.schema = RIGHT
        server.fingerprint = "Another_fingerprint"
        for ahead in (1800.0, 3700.0):
            clock.seconds = ahead
            counted.append(len((await client.fetch_native_totals()).counters))
        return counted

    assert asked(server, job, clock=clock) == [0, 0, 49]


def test_a_schema_that_is_gone_for_a_while_changes_no_judgement():
    """What was known of the names stays known."""
    server = JmapServer.recorded()
    server.schema = WRONG
    clock = HandClock()

    async def job(client: JmapClient) -> int:
        server.schema = None
        clock.seconds = 4000.0
        return len((await client.fetch_native_totals()).counters)

    assert asked(server, job, clock=clock) == 0
