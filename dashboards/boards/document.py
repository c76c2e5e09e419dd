"""A board as the JSON that Grafana imports."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards.boards.kit import DATASOURCE, JOB_SELECTION, SELECTION, Board

TAG = "stalwart"
INPUT = "DS_PROMETHEUS"

STARTS = f'sum by (server) (stalwart_log_entries_total{{{SELECTION},event="server.startup"}})'

ANNOTATIONS = (
    (
        "Settings changes",
        "purple",
        f"changes(stalwart_settings_change_timestamp_seconds{{{SELECTION}}}[2m]) > 0",
        "{{server}}: settings of {{area}} changed",
    ),
    (
        "Server restarts",
        "orange",
        f"{STARTS} > ({STARTS.replace('})', '} offset 2m)')} or 0 * {STARTS})",
        "{{server}} restarted",
    ),
    (
        "Version changes",
        "blue",
        f"group by (server, version) (stalwart_server_info{{{SELECTION}}})"
        f" unless on (server, version) (stalwart_server_info{{{SELECTION}}} offset 2m)"
        f" and on (server) (stalwart_server_info{{{SELECTION}}} offset 2m)",
        "{{server}} is now {{version}}",
    ),
    (
        "Exporter restarts",
        "purple",
        f"changes(process_start_time_seconds{{{JOB_SELECTION}}}[2m]) > 0"
        f" and on (job, instance) stalwart_exporter_build_info",
        "exporter {{instance}} restarted",
    ),
)


def to_json(board: Board) -> str:
    """The file of *board*."""
    built = json.loads(json.dumps(_build(board).build(), cls=JSONEncoder))
    for annotation, (_, _, _, text) in zip(built["annotations"]["list"], ANNOTATIONS, strict=True):
        annotation.update({"titleFormat": text, "step": "30s", "useValueForTime": False})
    for number, panel in enumerate(built["panels"], start=1):
        panel["id"] = number
    whole = {
        "__inputs": [
            {
                "name": INPUT,
                "label": "Prometheus",
                "description": "The Prometheus that scrapes the exporter.",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "__requires": _requirements(built),
        **built,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _requirements(built: dict[str, Any]) -> list[dict[str, str]]:
    kinds = sorted({panel["type"] for panel in built["panels"]} - {"row"})
    panels = [{"type": "panel", "id": kind, "name": kind, "version": ""} for kind in kinds]
    return [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "11.0.0"},
        {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        *panels,
    ]


def _build(board: Board) -> builders.Dashboard:
    made = (
        builders.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            builders.DashboardLink("Stalwart boards")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in _variables():
        made = made.with_variable(variable)
    for name, colour, expr, _ in ANNOTATIONS:
        annotation = builders.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).icon_color(colour)
        made = made.annotation(annotation.expr(expr))
    for title, panels in board.rows:
        made = made.with_row(builders.Row(title))
        for panel in panels:
            made = made.with_panel(panel)
    return made


def _variables() -> list[Any]:
    # On import the input takes the place of ${DS_PROMETHEUS}. Provisioned, there is no such data source, and Grafana
    # falls back to the first Prometheus that it has.
    chosen = dashboard.VariableOption(text="${" + INPUT + "}", value="${" + INPUT + "}")
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus").current(chosen),
        _query_variable("job", "Job", "label_values(stalwart_exporter_build_info, job)"),
        _query_variable("server", "Server", f"label_values(stalwart_up{{{JOB_SELECTION}}}, server)"),
    ]


def _query_variable(name: str, label: str, query: str) -> builders.QueryVariable:
    everything = dashboard.VariableOption(text="All", value="$__all")
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(everything)
    )
