"""The round trip probe of a whole exporter, whose management API cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.exporter import Exporter, Series, series, wait_until
from tests.support.servers.listening import server_context
from tests.support.servers.post_office import ADDRESS, PASSWORD, PostOffice, serving

PREFIX = "stalwart_round_trip_probe_"
SUCCESS = "stalwart_exporter_collector_success"
CONFIG = """
[[servers]]
name = "{name}"
url = "http://127.0.0.1:1"
token = "watching"
[servers.probes.round_trip]
address = "{address}"
password_file = "{secret}"
tls_name = "mx.example.test"
ca_file = "{ca}"
smtp_port = {smtp}
imap_port = {imap}
interval = "10s"
arrival_timeout = "1s"
"""


def test_a_round_trip_is_shown_by_stage_and_so_is_a_message_that_is_lost(tmp_path: Path):
    """Without the management API; no address is shown anywhere."""
    authority = Authority(tmp_path, "authority")
    tls = server_context(authority.issue("mx", "DNS:mx.example.test"))
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\n")
    wanted = {"good": ("delete", "arrived"), "lossy": ("visible", "missing")}
    with ExitStack() as stack:
        offices = {name: stack.enter_context(serving(PostOffice(tls, delivers=name == "good"))) for name in wanted}
        tables = [
            CONFIG.format(
                name=name,
                address=ADDRESS,
                secret=secret,
                ca=authority.cert,
                smtp=office.smtp_port,
                imap=office.imap_port,
            )
            for name, office in offices.items()
        ]
        exporter = stack.enter_context(Exporter(tmp_path, config="".join(tables)))
        for name, (stage, result) in wanted.items():
            shown = series(f"{PREFIX}result", server=name, stage=stage, result=result)
            wait_until(lambda shown=shown: exporter.samples().get(shown) == 1, what=f"{name}: {result}")
        samples, log = exporter.samples(), exporter.log()

    assert [samples[series(f"{PREFIX}success", server=name)] for name in wanted] == [1, 0]
    assert _stages(samples, "good") == ["delete", "login", "submit", "visible"]
    assert _stages(samples, "lossy") == ["login", "submit"]
    assert samples[series(f"{PREFIX}timestamp_seconds", server="good")] > 1.7e9
    collectors = [series(SUCCESS, server=name, collector="probe_round_trip") for name in wanted]
    assert [samples[collector] for collector in collectors] == [1, 0]
    assert samples[series("stalwart_up", server="good")] == 0
    assert offices["good"].box == {}
    assert ADDRESS not in log
    assert PASSWORD not in log


def _stages(samples: Mapping[Series, float], name: str) -> list[str]:
    """The stages that have a time."""
    labels = [dict(labels) for metric, labels in samples if metric == f"{PREFIX}stage_seconds"]
    return sorted(one["stage"] for one in labels if one["server"] == name)
