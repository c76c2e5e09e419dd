"""Logins that see the mail of one domain only."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest

from exporter.app.preflight import unusable_web_config
from exporter.errors import SettingsError
from exporter.settings import load_settings

SERVER = '[[servers]]\nname = "mx1"\nurl = "http://127.0.0.1:9"\ntoken = "unused"\n'


def load(directory: Path, web: str, environ: dict[str, str] | None = None):
    """The settings of a file with this ``[web]``."""
    path = directory / "config.toml"
    path.write_text(f"[web]\n{web}\n{SERVER}")
    return load_settings(path, environ or {})


def test_each_login_has_one_domain(tmp_path: Path):
    """In any spelling of the domain, also from the environment."""
    written = load(tmp_path, 'tenant_logins = ["alice=Example.ORG", "bob = bücher.test"]')
    given = load(tmp_path, "", {"STALWART_EXPORTER_WEB__TENANT_LOGINS": "alice=example.org,bob=bücher.test"})

    assert written.web.tenants == {"alice": "example.org", "bob": "xn--bcher-kva.test"}
    assert given.web.tenants == written.web.tenants


@pytest.mark.parametrize("entry", ["alice", "alice=", "=example.org", "alice=a..b", "alice=one.test,alice=two.test"])
def test_an_entry_without_login_or_domain_is_refused(tmp_path: Path, entry: str):
    """A login that would see everything by a mistake does not start the exporter."""
    entries = ", ".join(f'"{one}"' for one in entry.split(","))
    with pytest.raises(SettingsError, match="tenant_logins"):
        load(tmp_path, f"tenant_logins = [{entries}]")


def test_a_login_that_does_not_exist_is_refused(tmp_path: Path):
    """It may be a misspelling of one that would then see everything."""
    hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users:\n  alice: {hashed}\n")
    config = f'config_file = "{tmp_path}/web.yml"\n'

    right, misspelt = (load(tmp_path, f'{config}tenant_logins = ["{name}=one.test"]') for name in ("alice", "alise"))
    without = load(tmp_path, 'tenant_logins = ["alice=one.test"]')

    assert list(unusable_web_config(right)) == []
    assert "names a login" in "".join(unusable_web_config(misspelt))
    assert "needs web.config_file" in "".join(unusable_web_config(without))
