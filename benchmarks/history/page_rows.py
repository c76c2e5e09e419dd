"""A large history for the pages' benchmark, made by SQLite itself: DMARC and TLS reports, mail, domain checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from benchmarks.history.report_windows import fill as fill_reports
from exporter.store.trail.schema import to_key

DOMAINS = 40
TRAIL_SECONDS = 14 * 86_400

BUSY_DOMAIN = "big.example"


def fill(path: Path, *, records: int, messages: int, empty: Callable[[Path], Path]) -> int:
    """Make a history of *records* DMARC records over 400 days and *messages* of two weeks; return its last moment."""
    now = fill_reports(path, records, empty=empty)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-262144")
    connection.execute("BEGIN")
    values = {"messages": messages, "now": now, "begin": now - TRAIL_SECONDS, "seconds": TRAIL_SECONDS}
    for statement in (*REPORTS, *TRAIL, *SENDERS, POSTURE, STEPS):
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(statement, wanted)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return now


def queue_id(number: int) -> int:
    """Return the queue id of a message by its number, from 1 on."""
    return to_key(number << 21 | 1)


REPORTS = (
    """
    INSERT INTO dmarc_policy SELECT id, 'noreply@' || reporter, '', '[]', '',
        CASE WHEN ends_at < :now - 20000000 THEN 'none'
            WHEN ends_at < :now - 3000000 THEN 'quarantine' ELSE 'reject' END,
        'unspecified', 'unspecified', 'relaxed', 'relaxed', NULL, 0, '', 'unspecified' FROM report
    """,
    """
    INSERT INTO dmarc_reporter SELECT server, domain, reporter, count(*), max(received_at)
    FROM report WHERE kind = 'dmarc' GROUP BY 1, 2, 3
    """,
    """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
    INSERT INTO report SELECT 100000000 + i, 'mx1', 'tls', randomblob(16), 't' || i, 'tls-' || (i % 9), 't' || i,
        'customer-' || (i % 40) || '.example', :now - i * 8640 - 86400, :now - i * 8640, :now - i * 8640, i % 50, i % 3
    FROM n
    """,
    """
    INSERT INTO tls_policy SELECT id, 0, 'sts', domain, '[]', '[]', passed, failed FROM report WHERE kind = 'tls'
    """,
    """
    INSERT INTO tls_failure SELECT id, 0, 0, iif(id % 2, 'certificate-expired', 'starttls-not-supported'), failed, '',
        'mx.' || domain, '', '', '', '' FROM report WHERE kind = 'tls' AND failed > 0
    """,
)

TRAIL = (
    """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :messages),
        t(i, at) AS (SELECT i, :begin + i * :seconds / :messages FROM n)
    INSERT INTO trail_message SELECT 'mx1', (i << 21) | 1, at, at, 'submitted', 'submissions', '192.0.2.1', 'news',
        iif(i % 2, 'news@own.example', 'sender' || (i % 20000) || '@own.example'), 'own.example', 2048, 1,
        at + 259200, 0, 'm' || i || '@own.example' FROM t
    """,
    """
    INSERT INTO trail_recipient SELECT server, queue_id,
        'user' || (queue_id >> 21) || '@' || iif((queue_id >> 21) % 3, 'big.example', 'd' || ((queue_id >> 21) % 5000)
        || '.example'), iif((queue_id >> 21) % 3, 'big.example', 'd' || ((queue_id >> 21) % 5000) || '.example'),
        'remote', at FROM trail_message
    """,
    # Every twentieth message is put off first, and every hundredth of the last three days still waits.
    """
    INSERT INTO trail_outcome (server, queue_id, at, outcome, reason, code, domain, queue_name, recipient, hostname,
        text, source, number)
    SELECT server, queue_id, at, 'temporary_failure', 'unexpected_response', '451', domain, queue_name, '', '', '',
        'log', 3 FROM trail_recipient WHERE (queue_id >> 21) % 20 = 0
    """,
    """
    INSERT INTO trail_outcome (server, queue_id, at, outcome, reason, code, domain, queue_name, recipient, hostname,
        text, source, number)
    SELECT server, queue_id, at + 1, 'delivered', '', '250', domain, queue_name, address, 'mx.' || domain, 'OK',
        'log', 4 FROM trail_recipient WHERE (queue_id >> 21) % 100 > 0 OR at < :now - 259200
    """,
    """
    INSERT INTO trail_step SELECT server, queue_id, at, 'delivery.start-tls', queue_name, '', 'mx.' || domain, domain,
        '', 'TLSv1.3', NULL, 1 FROM trail_recipient
    """,
    """
    INSERT INTO trail_step SELECT server, queue_id, at, 'delivery.rcpt-to-rejected', queue_name, address,
        'mx.' || domain, domain, '451', 'Try again later', NULL, 2 FROM trail_recipient
        WHERE (queue_id >> 21) % 20 = 0
    """,
    """
    INSERT INTO trail_refusal SELECT server, at, 'smtp.mailbox-does-not-exist', '198.51.100.7',
        (queue_id >> 21) % 60000, 'user' || ((queue_id >> 21) % 100) || '@own.example', 'own.example',
        'unknown_recipient', 'smtp', '', 'spam' || (queue_id >> 21) || '@big.example', 'big.example', 0, '', '', 0
        FROM trail_message WHERE (queue_id >> 21) % 10 = 0
    """,
)

SENDERS = (
    """
    INSERT INTO sender_hour SELECT server, sender, at / 3600, 'own.example', count(*), count(*), count(*), 0, 0
    FROM trail_message GROUP BY 1, 2, 3
    """,
    "INSERT INTO sender_domain SELECT server, domain, sum(messages), sum(messages) FROM sender_hour GROUP BY 1, 2",
)

POSTURE = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
    INSERT INTO posture SELECT 'mx1', 'customer-' || i || '.example', c.value, iif((i + c.key) % 7, 'good', 'bad'),
        iif((i + c.key) % 7, 'good', 'bad'), :now - 86400, :now,
        '{"seen":["v=spf1 mx -all"],"publish":[["customer.example","TXT","v=spf1 mx -all"]],"remove":[],"files":[]}'
    FROM n, json_each('["mx", "spf", "dkim", "dmarc", "dmarc_reports", "mta_sts", "tls_rpt", "tls_reports", "dane",
        "autoconfig", "fcrdns", "helo", "reporters"]') AS c
"""

STEPS = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2303), m(name) AS (VALUES (1), (2), (3))
    INSERT INTO step SELECT 'mx' || name, :now / 300 * 300 - i * 300, 100 + i % 40, 900, 0, (2304 - i) * 50,
        (2304 - i) * 3, (2304 - i) / 9, 2304 - i, 2304 - i, i % 3, i % 2, i % 5 FROM n, m
"""
