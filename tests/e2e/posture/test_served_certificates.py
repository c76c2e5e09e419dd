"""Certificates of listeners, as the running exporter shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.model.outside import Family, Protocol
from exporter.simulator import StandIn
from tests.e2e.posture.test_commands import command
from tests.support.certificates import Authority
from tests.support.dns.server import dns_server
from tests.support.exporter import Exporter
from tests.support.servers.listening import Listening, both, listening, server_context, speaks
from tests.support.standin import Scene, community, server_table

HOST = "mx.example.test"
CHECK = "stalwart_served_certificate_check"
END = "stalwart_served_certificate_not_after_timestamp_seconds"

RUN = "stalwart_exporter_collector_last_success_timestamp_seconds"


def config(servers: dict[str, StandIn], resolver: str, ca_file: Path, listeners: dict[str, Listening]) -> str:
    """Servers with the same two listeners, which are looked at once per second."""
    ports = json.dumps([f"{protocol}:{one.port}" for protocol, one in listeners.items()])
    text = f'[checks]\nresolver = ["{resolver}"]\ninterval = "1s"\nca_file = "{ca_file}"\n'
    for name, server in servers.items():
        text += server_table(server.url, name=name, native=False, every=60, intervals={"inventory": 1})
        text += f'[servers.checks]\nhost = "{HOST}"\ncertificate_ports = {ports}\n'
    return text


@pytest.mark.fault("server", "listeners show an old certificate beside a new one that is stored")
def test_listeners_are_shown_and_an_old_certificate_is_found(tmp_path: Path) -> None:
    """
    It is found where the server discloses what is stored; listeners are judged on both generations, run after run.

    Nobody logs in, and a key that may not list domains is enough.
    """
    authority = Authority(tmp_path, "ca")
    context = server_context(authority.issue("right", f"DNS:{HOST}"))
    with (
        StandIn(community("0.15.5")) as rest,
        StandIn(community("0.16.18")) as jmap,
        dns_server(f"{HOST}. IN A 127.0.0.1", f"{HOST}. IN AAAA ::1") as resolver,
        listening(both(speaks(Protocol.SMTP, context))) as smtp,
        listening({Family.IPV4: speaks(Protocol.IMAPS, context)}) as imaps,
    ):
        rest.call(lambda world: world.directory.grant("watcher", frozenset({"authenticate"})))
        listeners = {"smtp": smtp, "imaps": imaps}
        text = config({"old": rest, "new": jmap}, resolver.address, authority.cert, listeners)
        with Exporter(tmp_path, config=text) as exporter:
            good = {"host": HOST, "port": str(smtp.port), "family": "ipv6", "result": "good"}
            refused = {**good, "port": str(imaps.port), "check": "handshake", "result": "bad"}
            for scene in (Scene(rest, exporter, "old"), Scene(jmap, exporter, "new")):
                for check in ("handshake", "names", "chain", "validity"):
                    scene.wait_for(CHECK, 1, check=check, **good)
                scene.wait_for(CHECK, 1, **refused)
                ran = scene.value(RUN, collector="checks") or 0.0
                scene.wait_for(RUN, lambda at, since=ran: at > since, collector="checks")
                scene.wait_for(END, lambda end: end > 1.7e9, host=HOST, port=str(smtp.port), family="ipv4")
                assert scene.value(END, host=HOST, port=str(imaps.port), family="ipv6") is None
            refusals = [one for one in rest.requests if one.status == 403 and "types=domain" in one.target]
            jmap.call(lambda world: world.inventory.add_certificate((HOST,), days_left=60))
            scene.wait_for(CHECK, 1, **{**good, "check": "renewal", "result": "bad"})
            shown = command(exporter, "domains", "show", HOST, "--server", "new", COLUMNS="250").stdout.decode()
            listed = json.loads(command(exporter, "domains", "list", "--bad", "--json").stdout)
            doctor = json.loads(command(exporter, "doctor", "--listen", "0", "--json").stdout)

    first, second = sorted([str(smtp.port), f"{imaps.port}/ipv4"], key=lambda part: int(part.partition("/")[0]))
    assert len(refusals) == 1
    lines = {line.split("  ")[0]: line for line in shown.splitlines()}
    assert "good" in lines[f"certificate_names ({first}, {second})"]
    assert [line for line in shown.splitlines() if line.endswith(f"Z  certificate_names ({first}, {second}) good")]
    assert "refuses connections" in lines[f"certificate_handshake ({imaps.port}/ipv6)"]
    hosts = [entry for entry in listed if entry["domain"] == HOST]
    assert [host["listeners"][f"{imaps.port}/ipv6"]["certificate_handshake"] for host in hosts] == ["bad", "bad"]
    old, new = ({one["domain"]: one["checks"] for one in found["domains"]["domains"]}[HOST] for found in doctor)
    assert old[f"certificate_handshake {imaps.port}/ipv6"] == "bad"
    assert f"certificate_renewal {smtp.port}/ipv4" not in old
    assert new[f"certificate_renewal {smtp.port}/ipv4"] == "bad"
    assert {line.split()[0] for line in smtp.heard[Family.IPV4]} == {b"EHLO", b"STARTTLS", b"secure"}
