"""The connection of queue control to one server, with the operator's login."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from exporter.app.servers.connection import context_for, credentials_of
from exporter.cli.output import complain, problems
from exporter.clock import Clock, SystemClock
from exporter.errors import SettingsError
from exporter.settings import ServerSettings, Settings, load_settings
from exporter.stalwart.http.credentials import Basic, Bearer, Credentials
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.operator.calls import OPERATOR_CALLS
from exporter.stalwart.operator.client import OperatorClient
from exporter.stalwart.operator.opening import open_operator

HOW_TO_GET_A_LOGIN = """\
No operator's login is configured for {server}. Add a table [servers.operator] with username and password_file, or
token_file, to its [[servers]], or run the command on a terminal, where it asks. The exporter's own key must not be able
to change the queue. Create another with exactly these permissions:
up to v0.15 an API key with: authenticate message-queue-list message-queue-get message-queue-update message-queue-delete
from v0.16 on a role with: authenticate sysQueuedMessageQuery sysQueuedMessageGet sysQueuedMessageUpdate
sysQueuedMessageDestroy sysActionCreate actionPauseMtaQueue actionResumeMtaQueue"""


class Unusable(Exception):
    """The command cannot be run as configured; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Site:
    """
    The server that a command is about.

    Attributes:
        history: The history file.
    """

    server: ServerSettings
    history: Path


@dataclass(frozen=True, slots=True)
class Operation:
    """An open connection; *clock* is the server's."""

    client: OperatorClient
    clock: Clock


def site_of(config: Path | None, name: str | None) -> Site:
    """Return the server called *name*, or the only one. Raises `Unusable`."""
    try:
        settings = load_settings(config, dict(os.environ))
    except SettingsError as error:
        raise Unusable("\n".join(error.problems)) from error
    return Site(_server(settings, name), settings.store.path)


def _server(settings: Settings, name: str | None) -> ServerSettings:
    known = ", ".join(server.name for server in settings.servers)
    if name is None and len(settings.servers) > 1:
        raise Unusable(f"several servers are configured; choose one with --server: {known}")
    for server in settings.servers:
        if name in (None, server.name):
            return server
    raise Unusable(f"no server has the name {name}; there are: {known}")


def login_of(server: ServerSettings, *, changes: bool) -> Credentials:
    """
    Return the operator's login; for a command that *changes* nothing, else the exporter's own.

    Asks for it on the terminal if a command changes something and none is configured. Raises `Unusable`.
    """
    try:
        if server.operator.is_set:
            return credentials_of(server.operator.credentials())
        if not changes:
            return credentials_of(server.credentials)
        if not (sys.stdin.isatty() and problems.is_terminal):
            raise Unusable(HOW_TO_GET_A_LOGIN.format(server=server.name))
        return _ask(server)
    except ValueError as error:
        raise Unusable(f"{server.name}: {error}") from error


def _ask(server: ServerSettings) -> Credentials:
    complain(f"No operator's login is configured for {server.name} (docs/queue.md).")
    name = typer.prompt("User name (empty for a token)", default="", show_default=False, err=True)
    if name:
        return Basic(name, typer.prompt("Password", hide_input=True, err=True))
    return Bearer(typer.prompt("Token", hide_input=True, err=True))


@asynccontextmanager
async def operating(server: ServerSettings, login: Credentials) -> AsyncIterator[Operation]:
    """Connect and detect the generation. Raises a `TargetError`, or `Unusable` for a bad certificate setting."""
    try:
        tls = context_for(server)
    except SettingsError as error:
        raise Unusable("\n".join(error.problems)) from error
    system = SystemClock()
    clock = ServerClock(system, server=server.name)
    transport = Transport(
        base_url=server.url,
        credentials=login,
        clock=system,
        throttle=Throttle(clock=system, requests=server.max_requests_per_minute),
        tls=tls,
        connect_timeout_seconds=server.connect_timeout,
        read_timeout_seconds=server.read_timeout,
        total_timeout_seconds=server.request_timeout,
        max_body_bytes=server.max_body_bytes,
        server_clock=clock,
        allowed=OPERATOR_CALLS,
    )
    try:
        yield Operation(await open_operator(transport, clock=clock), clock)
    finally:
        await transport.aclose()


def require_permissions(operation: Operation, needed: Collection[str]) -> None:
    """Raise `Unusable` if the login is known to lack one of *needed*, so that no request is made in vain."""
    missing = operation.client.missing_permissions(needed)
    if missing:
        raise Unusable(f"nothing was changed: the login lacks {' '.join(missing)}")
