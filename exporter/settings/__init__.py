"""The configuration: a TOML file with environment overrides, validated as a whole before anything starts."""

from exporter.settings.addresses import ListenAddress
from exporter.settings.load import DEFAULT_PATH, load_settings
from exporter.settings.models import LogSettings, Settings, StoreSettings, TrailSettings, WebSettings
from exporter.settings.secret import Secret
from exporter.settings.server import (
    BasicLogin,
    BearerToken,
    IntervalSettings,
    ServerSettings,
    StreamSettings,
    TlsSettings,
)

__all__ = [
    "DEFAULT_PATH",
    "BasicLogin",
    "BearerToken",
    "IntervalSettings",
    "ListenAddress",
    "LogSettings",
    "Secret",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "StreamSettings",
    "TlsSettings",
    "TrailSettings",
    "WebSettings",
    "load_settings",
]
