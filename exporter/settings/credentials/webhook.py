"""The settings of a server's webhook: how its posts are recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from exporter.settings.credentials.secret import with_secrets_read
from exporter.settings.section import Section
from exporter.settings.types import Password, SecretFile, UrlPath
from exporter.settings.validation.rules import Found, effective_name, validate_with

_PATH_TEXT = re.compile(r"[A-Za-z0-9._-]+")


class WebhookSettings(Section):
    """Events that the server posts to the exporter (all editions). `stalwart-exporter webhook` prints its settings."""

    secret: Password | None = Field(
        default=None,
        description="Signature key of the server's webhook, which the exporter then receives. Use `secret_file` to "
        "keep it out of this file.",
    )
    secret_file: SecretFile | None = Field(
        default=None, description="File with the key on one line, read at start and at each reload."
    )
    path: UrlPath = Field(
        default="",
        json_schema_extra={"default": "/webhooks/NAME"},
        description="Path of the URL to which the server posts, different for each server.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        filled, unread = with_secrets_read(data, ("secret",))
        both = data.get("secret") is not None and data.get("secret_file") is not None
        found: list[Found] = []
        if both:
            found.append((("secret_file",), "conflicts with secret; accepted: only one of the two"))
        if data.get("path") and data.get("secret") is None and data.get("secret_file") is None:
            found.append((("path",), "set without its key; accepted: together with secret or secret_file"))
        return validate_with(filled, handler, [*found, *(((key,), text) for key, text in unread)])

    @property
    def key(self) -> str | None:
        """The signature key; ``None`` without a webhook."""
        return None if self.secret is None else self.secret.get_secret_value()

    def path_for(self, name: str) -> str:
        """Return the path for the server *name*."""
        return self.path or _default_path(name)


def webhook_path_problems(servers: object) -> Iterator[Found]:
    """Require that no two servers post to the same path."""
    seen: dict[str, int] = {}
    for index, server in enumerate(servers if isinstance(servers, list | tuple) else ()):
        webhook = server.get("webhook") if isinstance(server, Mapping) else None
        if not isinstance(webhook, Mapping) or not (webhook.get("secret") or webhook.get("secret_file")):
            continue
        path = webhook.get("path") or _default_path(effective_name(server))
        first = seen.setdefault(path, index) if isinstance(path, str) else index
        if first != index:
            yield (
                ("servers", index, "webhook", "path"),
                f"the same as that of servers[{first}]; accepted: a unique path",
            )


def _default_path(name: str) -> str:
    return "/webhooks/" + "-".join(_PATH_TEXT.findall(name))
