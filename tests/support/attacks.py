"""Histories in which every text that a stranger can write is an attack: reports, log lines, DNS records."""

from __future__ import annotations

import asyncio
from pathlib import Path

from exporter.model.posture import Check, CheckOutcome, CheckResult, CheckState, PolicyFile, Record
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.posture.history import Change, PostureHistory
from exporter.store.reading import writing
from exporter.store.store import Store
from exporter.store.trail.rows import MessageRow, OutcomeRow, RefusalRow, StepRow, TrailRows
from tests.support.reports.history import now, take_in
from tests.support.reports.hostile import TEXTS, reports
from tests.support.trails import write_rows

HOSTILE = [text[:320] for text in TEXTS if text]


def hostile_rows(at: int) -> TrailRows:
    """Mail whose every text is an attack; each message has failed, been put off or is still waiting."""
    rows = TrailRows()
    for number, text in enumerate(HOSTILE, 1):
        rows.messages[number] = MessageRow(
            queue_id=number,
            at=at,
            accepted_at=at,
            kind=MessageKind.INCOMING,
            listener=text,
            remote_ip=text,
            account=text,
            sender=f"{text}@x.test",
            recipients=1,
            message_id=text,
        )
        rows.recipients[number, f"{text}@x.test"] = ("remote", at)
        rows.steps.append(StepRow(number, at, text, "remote", text, text, text, "451", text, at + 60, 1))
        for outcome in ("temporary_failure", "permanent_failure")[: 1 + number % 2]:
            rows.outcomes.append(
                OutcomeRow(
                    queue_id=number,
                    at=at,
                    outcome=outcome,
                    reason="unexpected_response",
                    code="451",
                    domain="x.test",
                    queue_name="remote",
                    recipient="" if outcome == "temporary_failure" else f"{text}@x.test",
                    hostname=text,
                    text=text,
                    source="log",
                    number=2,
                )
            )
        rows.refusals.append(
            RefusalRow(
                at=at,
                event=text,
                remote_ip=text,
                remote_port=number,
                recipient=f"{text}@x.test",
                reason=RefusalReason.RELAY,
                listener=text,
                account=text,
                sender=f"{text}@x.test",
                size=0,
                code="550",
                text=text,
                inferred=False,
            )
        )
    return rows


def hostile_checks(at: int) -> list[CheckState]:
    """A bad result of every check, whose texts are attacks."""
    return [
        CheckState(
            outcome=CheckOutcome(
                domain="evil.test",
                check=check,
                result=list(CheckResult)[number % 3],
                seen=tuple(HOSTILE),
                publish=(Record(name="evil.test", type="TXT", content=_latin(text)),),
                remove=(Record(name=text, type="MX", content=text),),
                files=(PolicyFile(url=f"https://{text}/", content=f"{text}\n{text}"),),
            ),
            known=CheckResult.BAD,
            changed_at=at - 60,
            checked_at=at,
        )
        for number, (check, text) in enumerate(zip(Check, HOSTILE * 2, strict=False))
    ]


def _latin(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")


def attacked(path: Path) -> None:
    """Write a history of all of them."""
    at = int(now().timestamp()) - 600
    take_in(path, reports())
    write_rows(path, hostile_rows(at))

    async def check() -> None:
        store = await Store.open(path, now=now())
        changes = [
            Change(domain="evil.test", check=Check.SPF, at=at - number, result=CheckResult.BAD, seen=text)
            for number, text in enumerate(HOSTILE)
        ]
        await PostureHistory(store, "mx1").save(hostile_checks(at), changes)
        await store.aclose()

    asyncio.run(check())
    with writing(path) as connection:
        connection.execute("BEGIN")
        for text in HOSTILE:
            connection.execute(
                "INSERT OR REPLACE INTO sender_hour VALUES ('mx1', ?, ?, 'x.test', 500, 500, 500, 500, 500)",
                (text, at // 3600),
            )
        connection.execute("INSERT OR IGNORE INTO sender_domain VALUES ('mx1', 'x.test', 1, 1)")
        for row in connection.execute("SELECT DISTINCT source_ip FROM dmarc_record").fetchall():
            connection.execute(
                "INSERT INTO source_name VALUES ('mx1', ?, 'good', ?, 1, ?, 0)", (row[0], HOSTILE[0], HOSTILE[1])
            )
        connection.execute("COMMIT")
