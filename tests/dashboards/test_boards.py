"""The dashboards in the repository: in sync with their code, complete, and free of what Grafana would stumble over."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from alerts.promql import names_in
from dashboards.boards import BOARDS
from dashboards.boards.document import to_json
from dashboards.boards.lint import complaints
from tests.support.paths import ROOT

GRAFANA = ROOT / "dashboards" / "grafana"

DOCUMENTS = {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("*.json"))}


def panels(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a board, rows aside."""
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def test_there_are_the_six_boards():
    """One file a board, under its uid."""
    assert {uid: document["uid"] for uid, document in DOCUMENTS.items()} == {board.uid: board.uid for board in BOARDS}
    assert len(DOCUMENTS) == 6


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_committed_file_is_what_the_code_makes(board):
    """`python -m dashboards.build --write` would change nothing."""
    assert (GRAFANA / f"{board.uid}.json").read_text() == to_json(board)


def test_the_check_of_the_command_line_agrees():
    """What `make check` runs."""
    done = subprocess.run(
        [sys.executable, "-m", "dashboards.build", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_the_lint_finds_nothing(uid: str):
    """Unit, description, data source variable, nothing written out, no empty panel, no unknown metric."""
    assert list(complaints(DOCUMENTS[uid])) == []


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_it_imports_by_file_by_provisioning_and_by_inputs(uid: str):
    """
    An import asks for the Prometheus and puts it where ${DS_PROMETHEUS} stands, which is the variable alone; everything
    else goes by the variable, so that a provisioned file needs no input.
    """
    document = DOCUMENTS[uid]
    variable = document["templating"]["list"][0]

    assert [(i["name"], i["type"], i["pluginId"]) for i in document["__inputs"]] == [
        ("DS_PROMETHEUS", "datasource", "prometheus")
    ]
    assert (variable["type"], variable["query"], variable["current"]["value"]) == (
        "datasource",
        "prometheus",
        "${DS_PROMETHEUS}",
    )
    del variable["current"]
    assert "${DS_PROMETHEUS}" not in json.dumps(document)
    assert "id" not in document


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_no_row_is_silently_empty_on_a_community_server(uid: str):
    """A row that shows the server's counters, deliveries or reports begins by saying where they come from."""
    row, sources = "", {}
    for panel in DOCUMENTS[uid]["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        names = {name for target in panel["targets"] for name in names_in(target["expr"])}
        if names & {"stalwart_exporter_metrics_source", "stalwart_exporter_capability"}:
            sources[row] = panel["title"]
        about_server = {name for name in names if name.startswith("stalwart_") and "exporter" not in name}
        if about_server - {"stalwart_up", "stalwart_server_info"} and row != "Now":
            assert row in sources, f"{uid} / {row} / {panel['title']}"


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_what_an_edition_may_lack_says_so_instead_of_no_data(uid: str):
    """Panels on counters, deliveries and reports carry their own words for an empty result."""
    lacking = (
        "stalwart_events_total",
        "_duration_seconds_sum",
        "stalwart_active",
        "server:stalwart_deliveries",
        "stalwart_dmarc",
        "stalwart_tls_report",
        "stalwart_accounts",
        "stalwart_exporter_stream",
    )
    for panel in panels(DOCUMENTS[uid]):
        text = " ".join(target["expr"] for target in panel["targets"])
        if any(name in text for name in lacking) and "stalwart_exporter_" not in text.replace("exporter_stream", ""):
            assert panel["fieldConfig"]["defaults"].get("noValue"), f"{uid} / {panel['title']}"


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_restarts_and_version_changes_are_annotated(uid: str):
    """On every board."""
    names = [annotation["name"] for annotation in DOCUMENTS[uid]["annotations"]["list"]]

    assert names == ["Settings changes", "Server restarts", "Version changes", "Exporter restarts"]


def _spoil_panel(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        panels(document)[0].update(changes)

    return spoil


def _spoil_expr(expr: str) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        panels(document)[0]["targets"][0]["expr"] = expr

    return spoil


def _without_unit(document: dict[str, Any]) -> None:
    del panels(document)[0]["fieldConfig"]["defaults"]["unit"]


def _other_source(document: dict[str, Any]) -> None:
    panels(document)[0]["targets"][0]["datasource"] = {"type": "prometheus", "uid": "abc"}


def _two_rows(document: dict[str, Any]) -> None:
    document["panels"].insert(0, {"type": "row", "title": "Nothing", "id": 999})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_without_unit, "no unit"),
        (_spoil_panel(description=""), "no description"),
        (_spoil_panel(targets=[]), "no query"),
        (_spoil_panel(id=3), "two panels of one id"),
        (_other_source, "its data source is not the variable"),
        (_two_rows, "a row without panels"),
        (_spoil_expr('stalwart_up{job="stalwart"}'), 'job="stalwart" is written out'),
        (_spoil_expr('stalwart_up{job=~"$job",server="mx1"}'), 'server="mx1" is written out'),
        (_spoil_expr('stalwart_upp{job=~"$job"}'), "no metric is called stalwart_upp"),
        (_spoil_expr("sum by (server) (stalwart_up)"), "the variable job selects nothing"),
        (lambda document: document["templating"]["list"].pop(), "the variables are not"),
        (lambda document: document.update(links=[]), "no links"),
    ],
)
def test_the_lint_finds_what_it_is_for(spoil: Callable[[dict[str, Any]], Any], says: str):
    """Each fault in a good board is told."""
    document = copy.deepcopy(DOCUMENTS["stalwart-exporter"])
    spoil(document)

    assert any(says in words for words in complaints(document))


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ('sum by (server, le) (rate(a_bucket{x="b_c"}[5m])) / (c:d:e offset 5m > 0)', {"a_bucket", "c:d:e"}),
        ('label_replace(up, "stream", "$1", "x", "(.+)") and on (job) g unless h', {"up", "g", "h"}),
        ("topk(10, sum by (a) (b) > 1e3) or vector(0)", {"b"}),
        ("time() - max without (a) (t_seconds{}[10d:6h])", {"t_seconds"}),
    ],
)
def test_metric_names_are_found_in_expressions(expr: str, names: set[str]):
    """What the checks of names rest on."""
    assert names_in(expr) == names
