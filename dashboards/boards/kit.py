"""
What panels are made of here.

In expressions ``SEL`` stands for the selection of a board's variables on series about a server, ``JOB`` for that on
series about the exporter itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SELECTION = 'job=~"$job",server=~"$server"'
JOB_SELECTION = 'job=~"$job"'

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")


NO_COUNTERS = "No counters from this server: see the row's first panel"
NO_DELIVERIES = "No deliveries: see the row's first panel"
NO_REPORTS = "No reports yet: see the row's first panel"
NO_INVENTORY = "Not reported by this server: see the row's first panel"
NONE_NOW = "None: all is well"

Panel = Any
"""A panel builder of the SDK: they share their methods but no class."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and how its series are called."""

    expr: str
    legend: str = ""

    @property
    def full(self) -> str:
        """The expression as Grafana gets it."""
        return self.expr.replace("SEL", SELECTION).replace("JOB", JOB_SELECTION)


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: its rows are titles with panels."""

    uid: str
    title: str
    description: str
    rows: Sequence[tuple[str, Sequence[Panel]]]


def q(expr: str, legend: str = "{{server}}") -> Query:
    """A query."""
    return Query(expr, legend)


def _finish(
    builder: Panel,
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    width: int,
    height: int,
    empty: str,
    **target: Any,
) -> Panel:
    builder = builder.title(title).description(description).unit(unit).datasource(DATASOURCE)
    builder = builder.span(width).height(height)
    if empty:
        builder = builder.no_value(empty)
    for number, query in enumerate(queries):
        made = prometheus.Dataquery().expr(query.full).legend_format(query.legend).ref_id(chr(ord("A") + number))
        made = made.datasource(DATASOURCE)
        if target.get("instant"):
            made = made.instant()
        if "fmt" in target:
            made = made.format(target["fmt"])
        builder = builder.with_target(made)
    return builder


def thresholds(*limits: tuple[float, str], base: str = "green") -> dashboard_builders.ThresholdsConfig:
    """Colours from each limit on; *base* below the first."""
    steps = [dashboard.Threshold(value=None, color=base), *(dashboard.Threshold(value=v, color=c) for v, c in limits)]
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    height: int = 8,
    limits: Sequence[tuple[float, str]] = (),
    stacked: bool = False,
    maximum: float | None = None,
    empty: str = "",
) -> Panel:
    """Series over time; *limits* are drawn as lines."""
    panel = _finish(timeseries.Panel(), title, description, unit, queries, width=width, height=height, empty=empty).min(
        0
    )
    panel = panel.fill_opacity(15 if stacked else 5).show_points(common.VisibilityMode.NEVER)
    panel = panel.tooltip(
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    if maximum is not None:
        panel = panel.max(maximum)
    if stacked:
        panel = panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if limits:
        panel = panel.thresholds(thresholds(*limits, base="transparent")).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 4,
    height: int = 5,
    limits: Sequence[tuple[float, str]] = (),
    base: str = "green",
    words: dict[str, tuple[str, str]] | None = None,
    names: bool = False,
    empty: str = "",
) -> Panel:
    """
    The present value, large.

    Attributes:
        words: Text and colour for single values.
        names: Show what the series is called instead of its value.
    """
    panel = _finish(
        stat.Panel(), title, description, unit, queries, width=width, height=height, empty=empty, instant=True
    )
    panel = panel.thresholds(thresholds(*limits, base=base)).graph_mode(common.BigValueGraphMode.NONE)
    panel = panel.color_mode(common.BigValueColorMode.NONE if names else common.BigValueColorMode.BACKGROUND)
    panel = panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    if names:
        panel = panel.text_mode(common.BigValueTextMode.NAME)
    if words:
        results = {v: dashboard.ValueMappingResult(text=text, color=colour) for v, (text, colour) in words.items()}
        panel = panel.mappings([dashboard.ValueMap(options=results)])
    return panel


def rows_of(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    hidden: Sequence[str] = (),
    renamed: dict[str, str] | None = None,
    width: int = 12,
    height: int = 8,
    limits: Sequence[tuple[float, str]] = (),
    empty: str = "",
) -> Panel:
    """A table with one row a series and its labels as columns."""
    panel = _finish(
        table.Panel(),
        title,
        description,
        unit,
        queries,
        width=width,
        height=height,
        empty=empty,
        instant=True,
        fmt=PromQueryFormat.TABLE,
    )
    if limits:
        panel = panel.thresholds(thresholds(*limits))
    if len(queries) > 1:
        panel = panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    options = {"excludeByName": dict.fromkeys(("Time", *hidden), True), "renameByName": renamed or {"Value": title}}
    return panel.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=options))


def density(title: str, description: str, unit: str, query: Query, *, width: int = 12, height: int = 8) -> Panel:
    """How many fall into each bucket, over time."""
    panel = heatmap.Panel().calculate(False)
    return _finish(
        panel, title, description, unit, [query], width=width, height=height, empty="", fmt=PromQueryFormat.HEATMAP
    )


def mean_and_p90(metric: str, by: str, legend: str, *, selection: str = SELECTION) -> list[Query]:
    """Mean and 90th percentile of a histogram; the latter is absent where the source has no buckets."""
    where = f"{{{selection}}}[$__rate_interval]"
    mean = f"sum by ({by}) (rate({metric}_sum{where})) / (sum by ({by}) (rate({metric}_count{where})) > 0)"
    share = f"histogram_quantile(0.9, sum by ({by}, le) (rate({metric}_bucket{where})))"
    return [q(mean, f"{legend} mean"), q(f"{share} >= 0", f"{legend} p90")]


def counters_source(width: int = 6, height: int = 8) -> Panel:
    """Which of the server's exits feeds the counters of this row, and why the others do not."""
    return number(
        "Source of the counters",
        "Source of the server's counters: `live` and `native` are immediate, `stored` is "
        "hourly. The other lines show why a source is missing: `not_configured` is off on the "
        "server (or `native_username` is not set), `not_licensed` and `unsupported` need the "
        "Enterprise edition, `forbidden` needs a permission for the key. A community server "
        "has counters only on its own metrics page (`native_metrics`).",
        "none",
        q("stalwart_exporter_metrics_source{SEL} == 1", "{{server}}: {{source}}"),
        q(
            'stalwart_exporter_capability{SEL,capability=~"native_metrics|stored_metrics|live_metrics",'
            'status!="available"} == 1',
            "{{server}} {{capability}}: {{status}}",
        ),
        names=True,
        width=width,
        height=height,
        empty="No source yet: not polled",
    )


def inventory_source() -> Panel:
    """Whether the server tells what it holds beside mail."""
    return capabilities(
        "inventory",
        "Source of this row",
        "Reported by servers from v0.16 on (`unsupported` before). `forbidden`: the key lacks "
        "a permission for part of it (run `stalwart-exporter doctor`); the rest is shown.",
    )


def capabilities(what: str, title: str, description: str, *, width: int = 6, height: int = 8) -> Panel:
    """Whether the server gives what a row shows."""
    return number(
        title,
        description,
        "none",
        q(f'stalwart_exporter_capability{{SEL,capability=~"{what}"}} == 1', "{{server}} {{capability}}: {{status}}"),
        names=True,
        width=width,
        height=height,
        empty="Unknown: not polled yet",
    )
