"""The exporter itself: collectors, streams, what it costs the server, and its history file."""

from __future__ import annotations

from dashboards.boards.exporter_costs import COST, HISTORY
from dashboards.boards.exporter_webhooks import WEBHOOKS
from dashboards.boards.kit import NONE_NOW, Board, graph, mean_and_p90, number, q, rows_of

STREAMS_ARE = 'No live streams: they require the Enterprise edition, and streams.transport = "off" disables them'

_STATE = [
    rows_of(
        "Exporters",
        "Version of each exporter.",
        "none",
        q("group by (job, instance, version, python_version) (stalwart_exporter_build_info{JOB})"),
        hidden=("Value",),
        width=10,
        height=6,
    ),
    number(
        "Scraped",
        "Whether Prometheus reaches the exporter.",
        "none",
        q("up{JOB} and on (job, instance) target:stalwart_exporter:known", "{{instance}}"),
        base="red",
        words={"0": ("DOWN", "red"), "1": ("up", "green")},
        limits=[(1, "green")],
        width=5,
        height=6,
    ),
    number(
        "Configuration",
        "Whether the last attempt to load the configuration succeeded.",
        "none",
        q("stalwart_exporter_config_last_reload_successful{JOB}", "{{instance}}"),
        base="red",
        words={"0": ("REFUSED", "red"), "1": ("in force", "green")},
        limits=[(1, "green")],
        width=5,
        height=6,
    ),
    number(
        "Loaded",
        "When the configuration in force was loaded.",
        "dateTimeFromNow",
        q("stalwart_exporter_config_last_reload_success_timestamp_seconds{JOB} * 1000", "{{instance}}"),
        base="blue",
        height=6,
    ),
]

_GIVEN = [
    rows_of(
        "Capabilities",
        "What each server offers. `forbidden`: the key lacks a permission; run "
        "`stalwart-exporter doctor`. `not_licensed`, `unsupported`: not in this edition or "
        "release. `not_configured`: off on the server, or no login configured for it.",
        "none",
        q("group by (server, capability, status) (stalwart_exporter_capability{SEL} == 1)"),
        hidden=("Value",),
        height=10,
    ),
    rows_of(
        "Source of the counters",
        "Source of the server's counters: `live` and `native` are immediate, `stored` is "
        "hourly. No entry: the server has no source of counters.",
        "none",
        q("group by (server, source) (stalwart_exporter_metrics_source{SEL} == 1)"),
        hidden=("Value",),
        width=6,
        height=10,
        empty="No counters: see the table next to this panel",
    ),
    rows_of(
        "Servers",
        "Version, edition and API of each server.",
        "none",
        q("group by (server, version, edition, api) (stalwart_server_info{SEL})"),
        hidden=("Value",),
        width=6,
        height=10,
    ),
]

_COLLECTORS = [
    rows_of(
        "Collectors",
        "Whether the last run succeeded. Collectors whose capability is forbidden or off are not shown.",
        "none",
        q("max by (server, collector) (stalwart_exporter_collector_success{SEL})"),
        renamed={"Value": "succeeded"},
        width=8,
    ),
    graph(
        "Intervals since the last success",
        "Age of the last success in the collector's intervals. Beyond three, at the line, its "
        "snapshot is no longer exported.",
        "none",
        q(
            "max by (server, collector) ((time() - stalwart_exporter_collector_last_success_timestamp_seconds{SEL}) / "
            "stalwart_exporter_collector_interval_seconds{SEL} and stalwart_exporter_collector_success{SEL})",
            "{{server}} {{collector}}",
        ),
        limits=[(3, "orange")],
        width=8,
    ),
    graph(
        "Duration of runs",
        "Duration of the collectors' runs.",
        "s",
        *mean_and_p90("stalwart_exporter_collector_duration_seconds", "server, collector", "{{server}} {{collector}}"),
        width=8,
    ),
    graph(
        "Failed runs",
        "Failed runs per minute, by reason. `internal` is a bug in the exporter: its log has the traceback.",
        "cpm",
        q(
            "sum by (server, collector, reason) (rate(stalwart_exporter_collector_failures_total{SEL}"
            "[$__rate_interval])) * 60 > 0",
            "{{server}} {{collector}} {{reason}}",
        ),
        empty=NONE_NOW,
    ),
    graph(
        "Unknown and dropped",
        "Unknown values from the server, log gaps, and increments summed in 'other' at a family's cap; cumulative.",
        "short",
        q("sum by (server, field) (stalwart_exporter_unknown_values_total{SEL})", "{{server}} unknown {{field}}"),
        q("sum by (server) (stalwart_exporter_log_gaps_total{SEL})", "{{server}} log gaps"),
        q("sum by (server, family) (stalwart_exporter_series_dropped_total{SEL})", "{{server}} other {{family}}"),
    ),
]

_STREAMS = [
    number(
        "Connected",
        "Whether the live stream is connected, on servers that offer one.",
        "none",
        q(
            "max by (server, stream) (stalwart_exporter_stream_connected{SEL} unless on (server, stream) label_replace("
            'stalwart_exporter_capability{SEL,capability=~"live_.+",status!="available"}, '
            '"stream", "$1", "capability", "live_(.+)"))',
            "{{server}} {{stream}}",
        ),
        base="red",
        words={"0": ("down", "red"), "1": ("connected", "green")},
        limits=[(1, "green")],
        width=6,
        height=8,
        empty=STREAMS_ARE,
    ),
    graph(
        "Events",
        "Events received per second.",
        "ops",
        q(
            "sum by (server, stream) (rate(stalwart_exporter_stream_events_total{SEL}[$__rate_interval]))",
            "{{server}} {{stream}}",
        ),
        width=9,
        empty=STREAMS_ARE,
    ),
    graph(
        "Silence",
        "Time since the last event of each stream.",
        "s",
        q(
            "max by (server, stream) (time() - stalwart_exporter_stream_last_event_timestamp_seconds{SEL})",
            "{{server}} {{stream}}",
        ),
        width=9,
        empty=STREAMS_ARE,
    ),
    graph(
        "Reconnects and losses",
        "Reconnects and dropped events, cumulative.",
        "short",
        q(
            "sum by (server, stream) (stalwart_exporter_stream_reconnects_total{SEL})",
            "{{server}} {{stream}} reconnects",
        ),
        q(
            "sum by (server, stream) (stalwart_exporter_stream_events_dropped_total{SEL})",
            "{{server}} {{stream}} dropped",
        ),
        width=9,
        empty=STREAMS_ARE,
    ),
    graph(
        "Gaps",
        "Cumulative time without a stream; filled from stored data if the server has it.",
        "s",
        q("sum by (server, stream) (stalwart_exporter_stream_gap_seconds_total{SEL})", "{{server}} {{stream}}"),
        width=9,
        empty=STREAMS_ARE,
    ),
    rows_of(
        "Transport",
        "Transport of each stream.",
        "none",
        q("stalwart_exporter_stream_transport{SEL} == 1"),
        hidden=("Value", "__name__", "job", "instance"),
        width=6,
        empty=STREAMS_ARE,
    ),
]

EXPORTER = Board(
    "stalwart-exporter",
    "Stalwart / Exporter",
    "Collectors, streams, load on the servers, and the exporter's history file.",
    [
        ("Exporter", _STATE),
        ("What the servers offer", _GIVEN),
        ("Collectors", _COLLECTORS),
        ("Live streams", _STREAMS),
        ("Webhooks", WEBHOOKS),
        ("Load on the servers", COST),
        ("History file and process", HISTORY),
    ],
)
