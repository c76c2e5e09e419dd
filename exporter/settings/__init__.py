"""The configuration: a TOML file with environment overrides, validated as a whole before anything starts."""

from exporter.settings.addresses import ListenAddress
from exporter.settings.checks import CheckSettings
from exporter.settings.credentials.login import BasicLogin, BearerToken
from exporter.settings.credentials.operator import OperatorSettings
from exporter.settings.credentials.secret import Secret
from exporter.settings.load import DEFAULT_PATH, load_settings
from exporter.settings.models import LogSettings, Settings, StoreSettings, TrailSettings, WebhooksSettings
from exporter.settings.servers.intervals import IntervalSettings
from exporter.settings.servers.server import (
    ServerSettings,
    StreamSettings,
    TlsSettings,
)
from exporter.settings.web import WebSettings

__all__ = [
    "DEFAULT_PATH",
    "BasicLogin",
    "BearerToken",
    "CheckSettings",
    "IntervalSettings",
    "ListenAddress",
    "LogSettings",
    "OperatorSettings",
    "Secret",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "StreamSettings",
    "TlsSettings",
    "TrailSettings",
    "WebSettings",
    "WebhooksSettings",
    "load_settings",
]
