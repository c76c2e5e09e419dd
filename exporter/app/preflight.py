"""Checks beyond the form of the settings: whether the files they name can be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from exporter.app.servers.connection import context_for
from exporter.errors import SettingsError, StoreError
from exporter.settings import ServerSettings, Settings
from exporter.store.disk.file import check_place
from exporter.web.verdict.thresholds import load_thresholds


def check_usable(settings: Settings) -> None:
    """Raise `SettingsError` with every problem and the path of its setting; blocks on the disk."""
    problems = [*unusable_certificates(settings.servers)]
    if problems:
        raise SettingsError(problems)


def find_problems(settings: Settings) -> Iterator[str]:
    """Yield one line per problem that would stop `run`; starts nothing, takes no lock and leaves nothing behind."""
    yield from unusable_web_config(settings)
    yield from unusable_thresholds(settings.web.thresholds_file)
    try:
        check_place(settings.store.path)
    except StoreError as error:
        yield f"store.path: {error}"
    yield from unusable_certificates(settings.servers)


def unusable_web_config(settings: Settings) -> Iterator[str]:
    """Yield the problems of the web configuration and the files it names."""
    if settings.web.config_file is None:
        if settings.web.tenant_logins:
            yield "web.tenant_logins: needs web.config_file with basic_auth_users"
        return
    # Import lazily: YAML and bcrypt take a megabyte that most installations never need.
    from exporter.web.config.document import load_web_config

    try:
        config = load_web_config(settings.web.config_file)
    except SettingsError as error:
        yield from error.problems
        return
    if settings.web.tenants.keys() - config.users.keys():
        yield "web.tenant_logins: names a login that basic_auth_users of web.config_file does not have"


def unusable_certificates(servers: Sequence[ServerSettings]) -> Iterator[str]:
    """Yield certificates that cannot be parsed, and keys that do not match theirs."""
    for index, server in enumerate(servers):
        if server.tls.ca_file is None and server.tls.cert_file is None:
            continue
        try:
            context_for(server)
        except SettingsError as error:
            yield from (f"servers[{index}].tls.{problem}" for problem in error.problems)


def unusable_thresholds(path: Path | None) -> Iterator[str]:
    """Yield the problems of the thresholds file of the pages."""
    if path is None:
        return
    try:
        load_thresholds(path)
    except SettingsError as error:
        yield from error.problems
