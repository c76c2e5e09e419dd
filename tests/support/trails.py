"""A trail written as rows, and questions asked of it as the commands do."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import strategies as st

from exporter.answers.asked import parse_asked
from exporter.answers.nothing import Coverage
from exporter.cli.history.text import print_json
from exporter.cli.why.text import show_answer
from exporter.history.shape import answer_fields
from exporter.history.why import NoQueues, answer_to
from exporter.model.trail import MessageKind, RefusalReason
from exporter.model.trail_event import NULL_SENDER
from exporter.store.reading import History, writing
from exporter.store.store import Store
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.rows import MessageRow, OutcomeRow, RefusalRow, StepRow, TrailRows
from exporter.store.trail.schema import COUNTED_TABLES

SERVER = "mx1"
BEGIN = 1_796_000_000
"""The Unix second in which the first message comes in."""

NOW = datetime.fromtimestamp(BEGIN + 7200, UTC)

OWN, OTHERS = "one.test", ("two.test", "three.example")
DOMAINS = (OWN, *OTHERS)
QUEUES = ("local", "remote")


def new_history(path: Path) -> None:
    """Create an empty history."""

    async def create() -> None:
        await (await Store.open(path, now=NOW)).aclose()

    asyncio.run(create())


def write_rows(path: Path, rows: TrailRows, server: str = SERVER) -> None:
    """Replace the trail of a history by these rows."""
    with writing(path) as connection:
        connection.execute("BEGIN")
        for table in COUNTED_TABLES:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name from our own schema
        rows.write(connection, server)
        connection.execute("COMMIT")


def output(work: Callable[[], object]) -> str:
    """What a command prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        work()
    return out.getvalue()


def asked(connection: History, what: str, *, only_domain: str | None = None, now: datetime = NOW) -> str:
    """Everything that ``why`` prints about *what*, as text and as JSON."""
    wanted, question = TrailFilter(only_domain=only_domain), parse_asked(what)
    found = answer_to(question, wanted, connection=connection, queues=NoQueues(), coverage=Coverage(), now=now)
    text = output(lambda: show_answer(found, limit=10))
    return text + output(
        lambda: print_json(answer_fields(found, asked=None if only_domain else question.text, limit=10))
    )


addresses = st.builds("{}@{}".format, st.sampled_from(("ann", "bob", "cy")), st.sampled_from(DOMAINS))
texts = st.one_of(
    st.sampled_from(("OK", "No such user", "Try again later", "")),
    st.builds("<{}>: relayed by mx.{}".format, addresses, st.sampled_from(DOMAINS)),
    st.builds("{} is over quota".format, addresses),
)
hosts = st.one_of(st.just("localhost"), st.builds("mx.{}".format, st.sampled_from(DOMAINS)))
OUTCOMES = ("delivered", "permanent_failure", "temporary_failure")
EVENTS = (
    "delivery.rcpt-to-rejected",
    "queue.rescheduled",
    "message-ingest.ham",
    "delivery.connect-error",
    "smtp.rcpt-to",
)


@st.composite
def trails(draw: st.DrawFn) -> TrailRows:
    """Some messages between the domains, with what happened to them, and some refusals."""
    rows = TrailRows()
    for number in range(1, draw(st.integers(1, 4)) + 1):
        _message(draw, rows, number)
    for number in range(draw(st.integers(0, 3))):
        rows.refusals.append(_refusal(draw, number))
    return rows


def _message(draw: st.DrawFn, rows: TrailRows, id_: int) -> None:
    sender = draw(st.one_of(addresses, st.just(NULL_SENDER)))
    recipients = draw(st.lists(addresses, min_size=1, max_size=3, unique=True))
    at = BEGIN + 60 * id_
    rows.messages[id_] = MessageRow(
        queue_id=id_,
        at=at,
        accepted_at=at,
        kind=draw(st.sampled_from(list(MessageKind))),
        listener="smtp",
        remote_ip="192.0.2.9",
        account=draw(st.one_of(st.just(""), st.just("ann"), addresses)),
        sender=sender,
        size=100,
        recipients=len(recipients),
        expires_at=at + 86_400,
        cause=draw(st.integers(0, id_ - 1)),
        message_id=f"id-{id_}@{draw(st.sampled_from(DOMAINS))}",
    )
    for recipient in recipients:
        queue = draw(st.sampled_from(QUEUES))
        rows.recipients[id_, recipient] = (queue, at)
        rows.steps += [_step(draw, id_, at, queue, recipient, number) for number in range(draw(st.integers(0, 2)))]
        if draw(st.booleans()):
            rows.outcomes.append(_outcome(draw, id_, at, queue, recipient))


def _step(draw: st.DrawFn, id_: int, at: int, queue: str, recipient: str, number: int) -> StepRow:
    return StepRow(
        queue_id=id_,
        at=at + number,
        event=draw(st.sampled_from(EVENTS)),
        queue_name=queue,
        recipient=draw(st.sampled_from((recipient, ""))),
        hostname=draw(hosts),
        domain=draw(st.sampled_from((recipient.partition("@")[2], "", *OTHERS))),
        code=draw(st.sampled_from(("", "451", "550"))),
        text=draw(texts),
        next_at=draw(st.sampled_from((None, at + 600))),
        number=number,
    )


def _outcome(draw: st.DrawFn, id_: int, at: int, queue: str, recipient: str) -> OutcomeRow:
    outcome = draw(st.sampled_from(OUTCOMES))
    return OutcomeRow(
        queue_id=id_,
        at=at + 5,
        outcome=outcome,
        reason="" if outcome == "delivered" else draw(st.sampled_from(("unexpected_response", "dns_error", "unknown"))),
        code="250" if outcome == "delivered" else "550",
        domain=draw(st.sampled_from((recipient.partition("@")[2], *OTHERS))),
        queue_name=queue,
        recipient="" if outcome == "temporary_failure" else recipient,
        hostname=draw(hosts),
        text=draw(texts),
        source="log",
        number=id_,
    )


def _refusal(draw: st.DrawFn, number: int) -> RefusalRow:
    return RefusalRow(
        at=BEGIN + 30 * number,
        event="smtp.relay-not-allowed",
        remote_ip="192.0.2.66",
        remote_port=number,
        recipient=draw(st.one_of(st.just(""), addresses)),
        reason=draw(st.sampled_from(list(RefusalReason))),
        listener="smtp",
        account=draw(st.one_of(st.just(""), addresses)),
        sender=draw(st.one_of(st.just(""), addresses)),
        size=0,
        code="550",
        text=draw(texts),
        inferred=False,
    )


def questions(rows: TrailRows) -> Sequence[str]:
    """Everything that can be asked about a trail: each id, address, domain and message id in it."""
    named = {message.sender for message in rows.messages.values()} | {address for _, address in rows.recipients}
    named |= {text for refusal in rows.refusals for text in (refusal.sender, refusal.recipient)}
    ids = [f"<{message.message_id}>" for message in rows.messages.values()]
    return sorted({*(name for name in named if "@" in name), *DOMAINS, *map(str, rows.messages), *ids})
