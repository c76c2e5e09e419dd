"""The settings of the probe that sends a message to a mailbox."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from exporter.domains import domain_name, domain_of
from exporter.settings.credentials.login import BasicLogin
from exporter.settings.credentials.secret import with_secrets_read
from exporter.settings.files import CERTIFICATES_LIMIT_BYTES, read_bounded
from exporter.settings.section import Section
from exporter.settings.types import Accepts, CertificatesFile, Count, Duration, HostName, Password, SecretFile
from exporter.settings.validation.rules import Found, validate_with
from exporter.units import DAY, MINUTE

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_MAILBOX = re.compile(r"[ !#-\[\]-~]{1,200}")
_MOST_USERNAME = 255
_SMTP_PORTS = {"implicit": 465, "starttls": 587}
_IMAP_PORTS = {"implicit": 993, "starttls": 143}


def _address(text: str) -> str:
    local, _, _ = text.rpartition("@")
    name = domain_of(text)
    if not name or not _LOCAL.fullmatch(local) or len(text) > _MOST_USERNAME:
        raise ValueError("is not a mail address in ASCII")
    return f"{local}@{name}"


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        name = domain_name(text.strip())
    if name is None:
        raise ValueError("is neither a host name nor an IP address")
    return name


def _mailbox(text: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise ValueError("is empty, too long, or has characters other than printable ASCII without quotes")
    return text


def _login_name(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _MOST_USERNAME:
        raise ValueError("is empty, too long or contains a control character")
    return text


_Address: TypeAlias = Annotated[str, AfterValidator(_address), Accepts("address", "a mail address in ASCII")]
_Host: TypeAlias = Annotated[str, AfterValidator(_host), Accepts("host", "a host name or an IP address")]
_Mailbox: TypeAlias = Annotated[
    str, AfterValidator(_mailbox), Accepts("string", "the name of a mailbox in ASCII, such as INBOX")
]
_LoginName: TypeAlias = Annotated[
    str, AfterValidator(_login_name), Accepts("string", "a string without control characters")
]
_Port: TypeAlias = Annotated[Count, Field(ge=1, le=65_535)]


class RoundTripSettings(Section):
    """
    A probe that the exporter makes itself: it submits a message by SMTP, finds it by IMAP, and deletes it. It has a
    mailbox and a login of its own, and needs no permission of the management API. Off unless `address` is set.
    """

    address: _Address | None = Field(
        default=None,
        description="Sender and recipient of the messages. Use an account for nothing else, without a holiday notice.",
    )
    username: _LoginName | None = Field(
        default=None,
        json_schema_extra={"default": "`address`"},
        description="Login name for SMTP and IMAP.",
    )
    password: Password | None = Field(default=None, description="Password. Prefer `password_file`.")
    password_file: SecretFile | None = Field(
        default=None, description="File with the password on one line, read at start and at each reload."
    )
    host: _Host | None = Field(
        default=None,
        json_schema_extra={"default": "host of the server's `url`"},
        description="Host of both listeners.",
    )
    tls_name: HostName | None = Field(
        default=None,
        json_schema_extra={"default": "`host`"},
        description="Name that the listeners' certificate must have, if `host` is another one, such as that of a "
        "container.",
    )
    ca_file: CertificatesFile | None = Field(
        default=None,
        description="Certificate authorities (PEM) to trust for these listeners, instead of the system trust store.",
    )
    smtp_tls: Literal["implicit", "starttls"] = Field(
        default="implicit", description="How the submission listener begins TLS. Nothing is sent without."
    )
    smtp_port: _Port | None = Field(
        default=None,
        json_schema_extra={"default": "465, with `starttls` 587"},
        description="Port of the submission listener.",
    )
    imap_tls: Literal["implicit", "starttls"] = Field(
        default="implicit", description="How the IMAP listener begins TLS. Nothing is sent without."
    )
    imap_port: _Port | None = Field(
        default=None,
        json_schema_extra={"default": "993, with `starttls` 143"},
        description="Port of the IMAP listener.",
    )
    mailbox: _Mailbox = Field(
        default="INBOX", description="Mailbox in which the messages arrive; nothing is looked at in others."
    )
    interval: Annotated[Duration, Field(ge=10, le=DAY)] = Field(
        default=15 * MINUTE, description="Time between two messages. Each counts as a delivery of the server."
    )
    arrival_timeout: Annotated[Duration, Field(ge=1, le=10 * MINUTE)] = Field(
        default=MINUTE, description="How long a message may take from its acceptance until it is in the mailbox."
    )
    step_timeout: Annotated[Duration, Field(ge=0.1, le=5 * MINUTE)] = Field(
        default=20.0,
        description="Deadline for each other step: opening the mailbox, submitting, looking, deleting.",
    )

    _digest: bytes = PrivateAttr(default=b"")

    @property
    def credentials(self) -> BasicLogin | None:
        """The login; ``None`` if there is no probe."""
        if self.address is None or self.password is None:
            return None
        return BasicLogin(self.username or self.address, self.password)

    @property
    def ports(self) -> tuple[int, int]:
        """Those of submission and IMAP."""
        return self.smtp_port or _SMTP_PORTS[self.smtp_tls], self.imap_port or _IMAP_PORTS[self.imap_tls]

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        filled, unread = with_secrets_read(data, ("password",))
        return validate_with(filled, handler, [*_incomplete(data), *(((key,), text) for key, text in unread)])

    @model_validator(mode="after")
    def _remember_contents(self) -> Self:
        """Make settings differ after the authorities were renewed under the same name, so that a reload applies it."""
        if self.ca_file is not None:
            self._digest = sha256(read_bounded(self.ca_file, CERTIFICATES_LIMIT_BYTES)).digest()
        return self


def _incomplete(given: Mapping[str, object]) -> Iterator[Found]:
    secrets = [key for key in ("password", "password_file") if given.get(key) is not None]
    if len(secrets) == 2:
        yield ("password_file",), "conflicts with password; accepted: only one of the two"
    if given.get("address") is not None and not secrets:
        yield ("address",), "set without a password; accepted: together with password or password_file"
    if given.get("address") is None:
        for key in ("username", *secrets):
            if given.get(key) is not None:
                yield (key,), "set without address; accepted: both together"
                return
