"""The server's own limits: recipients that they hold back."""

from __future__ import annotations

from dashboards.boards.kit import NONE_NOW, Query, capabilities, graph, q


def _until(which: str, of: str) -> Query:
    """Seconds until the first or the last release."""
    expr = f"{of} by (server, queue) (stalwart_queue_held_{which}_release_timestamp_seconds{{SEL}}) - time()"
    return q(expr, f"{{{{server}}}} {{{{queue}}}} {which}")


HELD = [
    capabilities(
        "queue",
        "Source of held recipients",
        "Whether the key can read the queue.",
        width=6,
    ),
    graph(
        "Held by the server's own limits",
        "Waiting recipients that an outbound limit of the server itself holds back. In the virtual queue `local` there "
        "should be none: a limit without a condition delays mail to the server's own mailboxes.",
        "short",
        q("sum by (server, queue, limiter) (stalwart_queue_held_recipients{SEL})", "{{server}} {{queue}} {{limiter}}"),
        stacked=True,
        width=9,
        empty=NONE_NOW,
    ),
    graph(
        "Release of held recipients",
        "Time until the first and the last held recipient may be tried again.",
        "s",
        _until("first", "min"),
        _until("last", "max"),
        width=9,
        empty=NONE_NOW,
    ),
]
