"""``/mail/<server>/<queue id>``: the trail of one message as a time line."""

from __future__ import annotations

from starlette.responses import Response

from exporter.answers.answer import Kind
from exporter.answers.asked import Asked
from exporter.answers.nothing import Coverage
from exporter.history.why import answer_to
from exporter.store.reading import History
from exporter.store.trail.filter import TrailFilter
from exporter.web.pages.base import respond
from exporter.web.pages.filters import options_of
from exporter.web.pages.mail.answer import view_of
from exporter.web.pages.mail.search import NOT_ASKED
from exporter.web.pages.reading import history_of, nothing_here
from exporter.web.pages.visit import Visit

_MOST_DIGITS = 20


async def message(visit: Visit) -> Response:
    """Return the page; with status 404 if the trail has nothing of the message."""
    options_of(visit)
    server, text = visit.arguments["server"], visit.arguments["queue_id"]
    queue_id = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0

    def answer(history: History) -> Response:
        told = answer_to(
            Asked(text=text, queue_ids=[queue_id] if queue_id else []),
            TrailFilter(server=server, only_domain=visit.only_domain),
            connection=history,
            queues=NOT_ASKED,
            coverage=Coverage(),
            now=visit.now,
        )
        if told.kind is not Kind.MESSAGE:
            return nothing_here(visit, "The trail has nothing of this message, or no longer.", section="mail")
        title = f"Message {queue_id}"
        return respond(visit, "message_trail.html", title=title, section="mail", answer=view_of(told))

    return await history_of(visit).read(answer)
