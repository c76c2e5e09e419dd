"""The exporter's own board: what it costs a server, and its history."""

from __future__ import annotations

from dashboards.boards.kit import JOB_SELECTION, NONE_NOW, graph, mean_and_p90, number, q

COST = [
    graph(
        "Requests",
        "Requests per minute to each server, by endpoint and status. At most 55 per minute "
        "unless max_requests_per_minute says otherwise.",
        "cpm",
        q(
            "sum by (server, endpoint, status) "
            "(rate(stalwart_exporter_api_requests_total{SEL}[$__rate_interval])) * 60",
            "{{server}} {{endpoint}} {{status}}",
        ),
        limits=[(55, "orange")],
        stacked=True,
    ),
    graph(
        "Duration of requests",
        "From sending to the end of the body.",
        "s",
        *mean_and_p90("stalwart_exporter_api_request_duration_seconds", "server, endpoint", "{{server}} {{endpoint}}"),
    ),
    graph(
        "Bytes read",
        "Response bodies read from each server.",
        "Bps",
        q(
            "sum by (server, endpoint) (rate(stalwart_exporter_api_response_bytes_total{SEL}[$__rate_interval]))",
            "{{server}} {{endpoint}}",
        ),
        width=24,
        height=6,
    ),
]

HISTORY = [
    number(
        "History file",
        "Whether the last operation on the history file succeeded.",
        "none",
        q("stalwart_exporter_store_success{JOB}", "{{instance}}"),
        base="red",
        words={"0": ("FAILS", "red"), "1": ("good", "green")},
        limits=[(1, "green")],
        height=8,
    ),
    graph(
        "Size",
        "Size of the history file with its log.",
        "bytes",
        q("stalwart_exporter_store_size_bytes{JOB}", "{{instance}}"),
        width=6,
    ),
    graph(
        "Rows",
        "Rows of the history by table.",
        "short",
        q("sum by (instance, table) (stalwart_exporter_store_rows{JOB})", "{{instance}} {{table}}"),
        width=7,
    ),
    graph(
        "Transactions",
        "Mean and 90th percentile of transactions on the history file.",
        "s",
        *mean_and_p90(
            "stalwart_exporter_store_write_duration_seconds", "instance", "{{instance}}", selection=JOB_SELECTION
        ),
        width=7,
    ),
    graph(
        "Errors",
        "Failed operations on the history file, cumulative.",
        "short",
        q("sum by (instance, reason) (stalwart_exporter_store_errors_total{JOB})", "{{instance}} {{reason}}"),
        width=8,
        height=6,
        empty=NONE_NOW,
    ),
    graph(
        "CPU",
        "CPU use of the exporter, as a share of one core.",
        "percentunit",
        q(
            "rate(process_cpu_seconds_total{JOB}[$__rate_interval]) "
            "and on (job, instance) stalwart_exporter_build_info",
            "{{instance}}",
        ),
        width=8,
        height=6,
    ),
    graph(
        "Memory",
        "Resident memory of the exporter.",
        "bytes",
        q("process_resident_memory_bytes{JOB} and on (job, instance) stalwart_exporter_build_info", "{{instance}}"),
        width=8,
        height=6,
    ),
]
