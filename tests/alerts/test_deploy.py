"""The examples in `deploy/` are taken by the programs that they are for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.alerts.test_rules import run
from tests.support.alerts import promtool

ROOT = promtool.ALERTS.parent
DEPLOY = ROOT / "deploy"


def test_prometheus_takes_the_example_with_the_shipped_rules(tmp_path: Path):
    """`promtool check config` reads the configuration and, in the folder that it names, the rules."""
    shutil.copy(DEPLOY / "prometheus" / "prometheus.yml", tmp_path)
    (tmp_path / "rules").mkdir()
    for path in promtool.ALERTS.glob("*.rules.yml"):
        shutil.copy(path, tmp_path / "rules")

    output = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))

    assert "2 rule files found" in output


def test_the_exporter_takes_the_configuration_in_the_kubernetes_example(tmp_path: Path):
    """`check-config` on the ConfigMap's file, with secrets where the example mounts them."""
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "exporter.yaml").read_text()))
    config = next(d for d in documents if d["kind"] == "ConfigMap")["data"]["config.toml"]
    for name in ("watcher", "prometheus"):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "config.toml"
    path.write_text(config.replace("/run/secrets/stalwart", str(tmp_path)))

    done = subprocess.run(
        [sys.executable, "-m", "exporter", "check-config", "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert {d["kind"] for d in documents} == {"ConfigMap", "StatefulSet", "Service", "ServiceMonitor"}


def test_probes_and_container_health_checks_ask_as_run_is_started():
    """The probes bring the options of `run`, and nothing asks for a page whose access control it does not know."""
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "exporter.yaml").read_text()))
    (container,) = next(d for d in documents if d["kind"] == "StatefulSet")["spec"]["template"]["spec"]["containers"]
    command = ["stalwart-exporter", "healthcheck", *container["args"][1:]]

    assert container["args"][0] == "run"
    assert [container[probe]["exec"]["command"] for probe in ("livenessProbe", "readinessProbe")] == [command, command]
    assert 'CMD ["stalwart-exporter", "healthcheck"]' in (ROOT / "Dockerfile").read_text()


def test_every_board_has_its_config_map():
    """The kustomization names each file of the folder, once."""
    folder = ROOT / "dashboards" / "grafana"
    made = yaml.safe_load((folder / "kustomization.yaml").read_text())

    listed = {one["name"]: one["files"] for one in made["configMapGenerator"]}

    assert listed == {path.stem: [path.name] for path in folder.glob("*.json")}
    assert made["generatorOptions"]["labels"] == {"grafana_dashboard": "1"}


def test_grafana_finds_boards_by_unique_names():
    """Two boards of one uid or title would replace each other when provisioned."""
    boards = [json.loads(path.read_text()) for path in (ROOT / "dashboards" / "grafana").glob("*.json")]
    provider = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "stalwart.yaml").read_text())

    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards) == 6
    assert provider["providers"][0]["type"] == "file"
