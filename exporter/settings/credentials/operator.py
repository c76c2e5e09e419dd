"""The login of queue control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from exporter.settings.credentials.login import BasicLogin, BearerToken
from exporter.settings.credentials.secret import FILE_SUFFIX, Secret, read_secret
from exporter.settings.section import Section
from exporter.settings.types import Password, SecretFile, Token, Username
from exporter.settings.validation.rules import login_problems, validate_with


class OperatorSettings(Section):
    """
    The login of `stalwart-exporter queue`, which can change the queue. The daemon does not use it and does not read its
    files, which its user need not be able to read. Without a login here, the command asks for one on the terminal.
    """

    username: Username | None = Field(
        default=None,
        description="Basic authentication: name of an account or, up to Stalwart v0.15, of an API key.",
    )
    password: Password | None = Field(
        default=None, description="Password, or secret of the API key. Prefer `password_file`."
    )
    password_file: SecretFile | None = Field(
        default=None, description="File with the password on one line, read when the command needs it."
    )
    token: Token | None = Field(
        default=None, description="Bearer authentication: an API key or an OAuth token. Prefer `token_file`."
    )
    token_file: SecretFile | None = Field(
        default=None, description="File with the token on one line, read when the command needs it."
    )

    @property
    def is_set(self) -> bool:
        """Whether there is a login."""
        return any((self.username, self.token, self.token_file))

    def credentials(self) -> BasicLogin | BearerToken:
        """
        Return the login, with its secret read from the file.

        Blocks on the disk. Raises `ValueError` without the secret if the file is unusable or there is no login.
        """
        if self.username is not None:
            return BasicLogin(self.username, _secret("password", self.password, self.password_file))
        return BearerToken(_secret("token", self.token, self.token_file))

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        found = [*login_problems(data)] if isinstance(data, Mapping) and data else []
        return validate_with(data, handler, found)


def _secret(name: str, given: Secret | None, path: Any) -> Secret:
    if given is not None:
        return given
    if path is None:
        raise ValueError(f"operator.{name}: is not set")
    try:
        return read_secret(path)
    except ValueError as error:
        raise ValueError(f"operator.{name}{FILE_SUFFIX}: {error}") from None
