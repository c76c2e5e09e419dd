"""What counts once, on the running exporter: reports of both generations."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator import Profile, StandIn
from exporter.simulator.world.accounts.api_keys import api_key
from tests.support.exporter import Exporter
from tests.support.reports import wire
from tests.support.reports.commands import answer, call
from tests.support.reports.tls_reports import (
    BOTH,
    FAILURES,
    FIRST,
    NO_POLICY,
    SECOND,
    SESSIONS,
    policy,
    report,
    unnamed,
)
from tests.support.standin import Scene, after_polls, server_table, wait_good

REST, JMAP = "0.15.5", "0.16.18"


@contextmanager
def both_generations(directory: Path) -> Iterator[list[Scene]]:
    """A server of each generation, watched by one exporter."""
    with ExitStack() as stack:
        servers = {version: stack.enter_context(StandIn(Profile(version=version))) for version in (REST, JMAP)}
        key = servers[JMAP].call(lambda world: api_key(world.directory.accounts["watcher"]))
        config = server_table(servers[REST].url, name=REST)
        config += server_table(servers[JMAP].url, name=JMAP, login=None, token=key)
        exporter = stack.enter_context(Exporter(directory, config=config))
        scenes = [Scene(server, exporter, version) for version, server in servers.items()]
        wait_good(scenes, "reports")
        yield scenes


def planted(scenes: Sequence[Scene], kind: Any, *reports: Any) -> None:
    """Each server receives these reports; returns when the exporter has taken them in."""
    for scene in scenes:
        scene.server.call(lambda world: [world.plant_report(kind, copy.deepcopy(one)) for one in reports])
    after_polls(scenes, "reports")


@pytest.mark.fault("protocol", "a reporter uses one id for the TLS reports of two domains, and a policy has no domain")
def test_one_id_for_two_domains_counts_both_in_both_generations(tmp_path: Path):
    """Both reports and the policy's sessions are counted once, over a repetition and a restart as well."""
    tlsa = policy("one.test", 3, "tlsa")
    silent = report(tlsa, unnamed(5, 2, "", [("starttls-not-supported", 2)]), id_="idx1")
    labels = ("domain", "policy", "result")
    with both_generations(tmp_path) as scenes:
        planted(scenes, "tls", FIRST, SECOND)
        for scene in scenes:
            assert scene.shown(SESSIONS, *labels) == BOTH
        scenes[0].exporter.stop()
        scenes[0].exporter.start()
        wait_good(scenes, "reports")
        planted(scenes, "tls", FIRST, silent)

        for scene in scenes:
            assert scene.shown(SESSIONS, *labels) == {
                ("one.test", NO_POLICY, "success"): 35,
                ("one.test", NO_POLICY, "failure"): 2,
                ("one.test", "tlsa", "success"): 3,
                ("two.test", NO_POLICY, "success"): 40,
            }
            assert scene.shown(FAILURES, "domain", "failure") == {("one.test", "starttls-not-supported"): 2}
            assert scene.shown("stalwart_reports_total", "kind") == {("tls",): 3}
            assert scene.shown("stalwart_reports_rejected_total", "kind") == {}


@pytest.mark.fault("protocol", "a DMARC report contains errors of its reporter")
def test_the_errors_of_a_reporter_are_kept_and_reject_nothing(tmp_path: Path):
    """The report is counted in both generations; the same errors in another order make it no new report."""
    errors = ["No DMARC record for sub.one.test", "A second trouble"]
    told = wire.dmarc("err-1", reporter="peer.test", domain="one.test", records=[wire.record(4, spf="Fail")])
    told["report_metadata"]["error"] = errors
    turned = copy.deepcopy(told)
    turned["report_metadata"]["error"] = errors[::-1]
    with both_generations(tmp_path) as scenes:
        planted(scenes, "dmarc", told, turned)

        for scene in scenes:
            assert scene.shown("stalwart_reports_total", "kind") == {("dmarc",): 1}
            assert scene.shown("stalwart_reports_rejected_total", "kind") == {}
            assert scene.shown("stalwart_dmarc_messages_total", "domain", "disposition", "dkim", "spf") == {
                ("one.test", "none", "pass", "fail"): 4
            }
        path = tmp_path / "history.sqlite3"
        for row in answer(path, "list"):
            assert sorted(answer(path, "show", str(row["id"]))["errors"]) == sorted(errors)
            shown = call(path, "show", str(row["id"])).stdout
            assert all(error in shown for error in errors)
            assert json.loads(call(path, "show", str(row["id"]), "--raw").stdout)
