"""``stalwart-exporter webhook``: prints the webhook settings of a server."""

from __future__ import annotations

import os
from pathlib import Path

from exporter.cli.output import complain
from exporter.cli.webhook.text import Hook, jmap_lines, rest_lines
from exporter.errors import SettingsError
from exporter.model.server import Generation
from exporter.settings import ServerSettings, Settings, load_settings

EXIT_SETTINGS = 2
NO_KEY = "THE-KEY-IN-webhook.secret"
NO_HOST = "EXPORTER-HOST"


def print_settings(
    config: Path | None, *, generation: str, only: str | None, url: str | None, name: str, show_key: bool
) -> int:
    """Print the settings for the server of the name *only*, or for the first with a webhook; return the exit status."""
    try:
        settings = load_settings(config, dict(os.environ))
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return EXIT_SETTINGS
    server = _server(settings, only)
    if server is None:
        complain(f"no server has the name {only}")
        return EXIT_SETTINGS
    if server.webhook.key is None:
        complain(f'{server.name}: has no webhook; add to the configuration: [servers.webhook] secret_file = "..."')
        return EXIT_SETTINGS
    key = server.webhook.key if show_key else NO_KEY
    hook = Hook(name, url or _url(settings, server), key, server.url)
    lines = jmap_lines(hook) if generation == Generation.JMAP.value else rest_lines(hook)
    print("\n".join(lines))  # noqa: T201 - to be pasted: no console that folds lines
    return 0


def _server(settings: Settings, only: str | None) -> ServerSettings | None:
    if only is not None:
        return next((server for server in settings.servers if server.name == only), None)
    with_webhook = (server for server in settings.servers if server.webhook.key is not None)
    return next(with_webhook, settings.servers[0])


def _url(settings: Settings, server: ServerSettings) -> str:
    """Return the URL of the receiver, as far as it is known: the server must be able to reach it."""
    own = settings.webhooks.listen
    listen = own or settings.web.listen[0]
    scheme = "https" if own is None and settings.web.config_file is not None else "http"
    host = NO_HOST if listen.host in ("0.0.0.0", "::") else str(listen).rpartition(":")[0]  # noqa: S104 - compared only
    return f"{scheme}://{host}:{listen.port or 'PORT'}{server.webhook.path_for(server.name)}"
