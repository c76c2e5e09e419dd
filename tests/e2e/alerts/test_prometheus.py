"""The real Prometheus and its tools read what we expose."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.e2e.generations.test_recordings import environment
from tests.support.exporter import Exporter, wait_until
from tests.support.paths import ROOT
from tests.support.prometheus import prometheus
from tests.support.replays.rest import replay

DOCUMENTED = ROOT / "docs" / "metrics.md"


def test_prometheus_scrapes_it_without_a_warning(tmp_path: Path):
    """The target is up, every sample of the page is in the database, and Prometheus has nothing to complain of."""
    with replay("rest-0.15.5") as (url, _), Exporter(tmp_path, environ=environment(url)) as exporter:
        exporter.wait_for("stalwart_delivery_duration_seconds_count", 27, server="mx1")
        config = f"""
global: {{scrape_interval: 5s, scrape_timeout: 5s}}
scrape_configs:
  - job_name: stalwart
    static_configs: [{{targets: ["127.0.0.1:{exporter.port}"]}}]
"""
        with prometheus(tmp_path, config) as server:
            wait_until(lambda: [r["value"][1] for r in server.query('up{job="stalwart"}')] == ["1"], what="up == 1")

            assert [t["lastError"] for t in server.targets()] == [""]
            assert server.query("stalwart_queue_messages")[0]["value"][1] == "11"
            assert server.query('stalwart_queue_message_age_seconds_bucket{le="+Inf"}')[0]["value"][1] == "11"
            # One query is one moment: between two of them there may be a scrape, and a page that has grown by it.
            [scraped] = server.query("scrape_samples_scraped == scrape_samples_post_metric_relabeling")
            assert int(scraped["value"][1]) > 300
            complaints = [line for line in server.log().splitlines() if "level=warn" in line or "level=error" in line]
            assert complaints == []


def test_promtool_has_no_complaint(tmp_path: Path):
    """`promtool check metrics` accepts the page, names and help texts included."""
    with replay("rest-0.15.5") as (url, _), Exporter(tmp_path, environ=environment(url)) as exporter:
        exporter.wait_for("stalwart_failed_deliveries", 12, server="mx1", kind="temporary")
        ours = "".join(
            line for line in exporter.text().splitlines(keepends=True) if re.match(r"(# \w+ )?stalwart_", line)
        )

        verdict = subprocess.run(
            ["promtool", "check", "metrics"], input=ours, text=True, capture_output=True, check=False
        )

        assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, "", "")


def test_the_openmetrics_page_passes_the_strict_parser_and_is_documented(tmp_path: Path):
    """Every family that is shown is in docs/metrics.md with its type and its labels."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", DOCUMENTED.read_text(), re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    with replay("rest-0.15.5") as (url, _), Exporter(tmp_path, environ=environment(url)) as exporter:
        exporter.wait_for("stalwart_failed_deliveries", 12, server="mx1", kind="temporary")
        text = exporter.text("application/openmetrics-text; version=1.0.0")

        families = [f for f in text_string_to_metric_families(text) if f.name.startswith("stalwart_")]

        assert len(families) >= 40
        for family in families:
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            kind, labels = documented[family.name + suffix]
            assert kind == family.type
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == labels, sample
