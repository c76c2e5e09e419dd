"""A listener with TLS as a file configures it, and clients of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from exporter.clock import SystemClock
from exporter.web.config.document import load_web_config
from exporter.web.config.live import LiveWebConfig
from exporter.web.guard import Guard
from exporter.web.serving.server import WebServer
from tests.support.certificates import Identity
from tests.support.listener.app import application, browsing, serving


def install(identity: Identity, directory: Path) -> None:
    """Puts a certificate and its key where the configuration looks, each in one step."""
    for source, name in ((identity.cert, "server.pem"), (identity.key, "server.key")):
        shutil.copy(source, directory / "new")
        os.replace(directory / "new", directory / name)


@asynccontextmanager
async def configured(path: Path) -> AsyncIterator[tuple[WebServer, LiveWebConfig]]:
    """A server with this configuration in force and watched."""
    config = load_web_config(path)
    guard = Guard(application(), config)
    live = LiveWebConfig(config, guard=guard, clock=SystemClock())
    watching = asyncio.create_task(live.run())
    try:
        async with serving(guard, ssl_context=live.ssl_context) as server:
            yield server, live
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def status_with(server: WebServer, context: ssl.SSLContext) -> int | None:
    """The status of a page behind the login on a new connection, or ``None`` if there is none to be had."""
    try:
        async with browsing(server, verify=context) as client:
            return (await client.get("/-/ready")).status_code
    except httpx.TransportError:
        return None


REQUIRED = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.pem")
