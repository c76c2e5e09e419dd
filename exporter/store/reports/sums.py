"""
Sums over DMARC reports without reading all of them: whole days from ``dmarc_day``, the hours at both ends by index.

The daemon and the command line use the same statements.
"""

from __future__ import annotations

DAY_SECONDS = 86400

_WINDOW = """
    SELECT domain, total(aligned), total(failed) FROM (
        SELECT domain, aligned, failed FROM dmarc_day WHERE server = :server AND day >= :first_day AND day < :last_day
        UNION ALL
        SELECT domain, passed, failed FROM report INDEXED BY report_dmarc_ends
        WHERE kind = 'dmarc' AND server = :server AND ends_at > :begin AND ends_at < :first_day * 86400
        UNION ALL
        SELECT domain, passed, failed FROM report INDEXED BY report_dmarc_ends
        WHERE kind = 'dmarc' AND server = :server AND ends_at >= :last_day * 86400 AND ends_at <= :end
    ) GROUP BY domain
"""

FORGET_SUMS = (
    """
    UPDATE dmarc_day SET
        aligned = dmarc_day.aligned - gone.aligned,
        failed = dmarc_day.failed - gone.failed,
        reports = dmarc_day.reports - gone.reports
    FROM (
        SELECT server, ends_at / 86400 AS day, domain,
            sum(passed) AS aligned, sum(failed) AS failed, count(*) AS reports
        FROM report WHERE kind = 'dmarc' AND id IN (SELECT value FROM json_each(?1)) GROUP BY 1, 2, 3
    ) AS gone
    WHERE dmarc_day.server = gone.server AND dmarc_day.day = gone.day AND dmarc_day.domain = gone.domain
    """,
    """
    DELETE FROM dmarc_day WHERE reports <= 0 AND (server, day, domain) IN (
        SELECT server, ends_at / 86400, domain FROM report
        WHERE kind = 'dmarc' AND id IN (SELECT value FROM json_each(?1))
    )
    """,
    """
    UPDATE dmarc_reporter SET reports = dmarc_reporter.reports - gone.reports
    FROM (
        SELECT server, domain, reporter, count(*) AS reports
        FROM report WHERE kind = 'dmarc' AND id IN (SELECT value FROM json_each(?1)) GROUP BY 1, 2, 3
    ) AS gone
    WHERE dmarc_reporter.server = gone.server AND dmarc_reporter.domain = gone.domain
        AND dmarc_reporter.reporter = gone.reporter
    """,
    """
    DELETE FROM dmarc_reporter WHERE reports <= 0 AND (server, domain, reporter) IN (
        SELECT server, domain, reporter FROM report
        WHERE kind = 'dmarc' AND id IN (SELECT value FROM json_each(?1))
    )
    """,
    "DELETE FROM report WHERE id IN (SELECT value FROM json_each(?1))",
)
"""
Delete the reports whose ids are in a JSON list, and subtract them from the sums.

Pass at most a few hundred ids: their messages are added up as 64-bit integers.
"""


LAST_HEARD = """
    WITH
        domains AS (
            SELECT domain FROM dmarc_reporter WHERE server = :server
            GROUP BY domain ORDER BY sum(reports) DESC, domain LIMIT :most
        ),
        reporters AS (
            SELECT reporter FROM dmarc_reporter WHERE server = :server
            GROUP BY reporter ORDER BY sum(reports) DESC, reporter LIMIT :most
        )
    SELECT d.domain, r.reporter, max(h.last_received_at), count(*)
    FROM dmarc_reporter AS h
    LEFT JOIN domains AS d ON d.domain = h.domain
    LEFT JOIN reporters AS r ON r.reporter = h.reporter
    WHERE h.server = :server GROUP BY 1, 2
"""
"""
When a report about a domain last came from a reporter; domains and reporters beyond the *most* busiest are null.

The last column is the number of pairs in a row.
"""


def window_query(server: str, now: int, days: int) -> tuple[str, dict[str, object]]:
    """Return the query for aligned and failed messages by domain, of reports that ended in the *days* before *now*."""
    begin = now - days * DAY_SECONDS
    return _WINDOW, {
        "server": server,
        "begin": begin,
        "end": now,
        "first_day": begin // DAY_SECONDS + 1,
        "last_day": now // DAY_SECONDS,
    }
