"""Situations of a server with a webhook."""

from __future__ import annotations

from datetime import timedelta

from exporter.web.interfaces import WebhookFacts
from tests.support.builders.situation import one
from tests.support.builders.verdicts import HOUR, enterprise, holding, past
from tests.support.listener.app import NOW

WEBHOOKS = {
    "webhook silent": one(
        holding(
            enterprise(
                webhook=WebhookFacts(last_post_at=NOW - timedelta(minutes=16)), recent=past(HOUR, delivered=0.1)
            ),
            600,
        ),
        "wait",
        "mx1: the webhook is silent while mail flows",
        "Compare the server's settings",
    ),
    "webhook heard": one(
        enterprise(webhook=WebhookFacts(last_post_at=NOW - timedelta(minutes=14)), recent=past(HOUR, delivered=0.1)),
        "good",
        "All is well",
    ),
    "webhook posts refused": one(
        holding(
            enterprise(
                webhook=WebhookFacts(last_post_at=NOW),
                recent=past(HOUR, delivered=0.1, **{"webhook_refused:forged": 0.1}),
            ),
            300,
        ),
        "wait",
        "mx1: 60 webhook posts refused as forged",
        "Compare the signature keys",
    ),
}
