"""An operator's files, and values in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exporter.errors import SettingsError
from exporter.settings.addresses import parse_listen, parse_server_url
from exporter.settings.credentials.secret import read_secret
from exporter.settings.load import load_settings
from exporter.units import parse_duration, parse_size
from exporter.web import verdict
from exporter.web.config.document import load_web_config
from exporter.web.verdict.thresholds import load_thresholds
from tests.fuzz.decoder import Decoder, any_of, text_of, written

SHIPPED_THRESHOLDS = Path(verdict.__file__).with_name("thresholds.json")


def decoders() -> Iterator[Decoder]:
    """Every decoder of what an operator writes."""
    yield Decoder("settings", _settings, lambda: [SETTINGS], (SettingsError,), share=0.2)
    yield Decoder("web_config", _web_config, lambda: WEB_CONFIGS, (SettingsError,), share=0.2)
    yield Decoder("units", _units, lambda: [b"1h30m", b"500ms", b"2 GiB", b"10", b"1.5d"], (ValueError,))
    yield Decoder("addresses", _addresses, lambda: [b"[::]:9787", b"https://mx.test:8080", b":80"], (ValueError,))
    yield Decoder("thresholds", _thresholds, lambda: [SHIPPED_THRESHOLDS.read_bytes()], (SettingsError,), share=0.2)
    yield Decoder("secret", _secret, lambda: [b"\xef\xbb\xbfS3cr3t\r\n", b"S3cr3t"], (ValueError,), share=0.2)


def _settings(content: bytes) -> object:
    with written(content) as path:
        return load_settings(path, {})


def _web_config(content: bytes) -> object:
    with written(content) as path:
        return load_web_config(path)


def _units(text: bytes) -> object:
    value = text_of(text)
    return any_of([lambda: parse_duration(value), lambda: parse_size(value)], ValueError)


def _addresses(text: bytes) -> object:
    value = text_of(text)
    return any_of([lambda: parse_listen(value), lambda: parse_server_url(value)], ValueError)


def _thresholds(content: bytes) -> object:
    with written(content) as path:
        return load_thresholds(path)


def _secret(content: bytes) -> object:
    with written(content) as path:
        return read_secret(path)


SETTINGS = b"""
[web]
listen = "127.0.0.1:9787"
[store]
path = "/tmp/history.sqlite3"
[[servers]]
name = "mx1"
url = "https://mx.example.org"
username = "watcher"
password = "secret"
max_domains = 25
[servers.intervals]
queue = "30s"
logs = 60
[servers.streams]
transport = "auto"
"""

WEB_CONFIG = b"""
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: $2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze
"""

TLS_SECTION = b"""
tls_server_config:
  cert_file: web.crt
  key_file: web.key
  min_version: TLS12
  client_auth_type: NoClientCert
"""

WEB_CONFIGS = (WEB_CONFIG, WEB_CONFIG + TLS_SECTION)
