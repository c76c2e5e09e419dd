"""Headers that stand on every answer."""

from __future__ import annotations

from pathlib import Path

from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from tests.support.listener.app import HASH, Run, application, basic, browsing, serving


def test_configured_headers_stand_on_every_answer(run: Run):
    """They replace what a page sets itself, and are there on refusals too."""
    headers = ((b"content-security-policy", b"default-src 'self'"), (b"x-frame-options", b"deny"))
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}, headers=headers))

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server) as client:
            refused = await client.get("/")
            shown = await client.get("/", headers=basic("prometheus", "s3cret"))

            for response in (refused, shown):
                assert response.headers.get_list("content-security-policy") == ["default-src 'self'"]
                assert response.headers["x-frame-options"] == "deny"

    run(scenario())
