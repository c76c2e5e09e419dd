"""The settings of a server's probes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Field, ModelWrapValidatorHandler, PlainSerializer, PlainValidator, model_validator

from exporter.domains import domain_name, domain_of
from exporter.settings.credentials.login import BasicLogin, BearerToken
from exporter.settings.credentials.secret import with_secrets_read
from exporter.settings.section import Section
from exporter.settings.servers.round_trip import RoundTripSettings
from exporter.settings.types import (
    Accepts,
    Duration,
    HostName,
    Password,
    SecretFile,
    Token,
    Username,
    each,
    show_list,
)
from exporter.settings.validation.rules import Found, login_problems, validate_with
from exporter.units import DAY, HOUR, MINUTE, SECOND

MOST_TARGETS = 20

_PARTS = ("delivery_to", "spam_recipient", "dmarc_sender")
_LOGIN = ("username", "password", "password_file", "token", "token_file")


def _target(text: str) -> str:
    local, at, _ = text.rpartition("@")
    name = domain_of(text) if at else domain_name(text)
    is_plain = text.isprintable() and not set(text) & set("/\\%?#")
    if not name or not is_plain or (at and not local):
        raise ValueError("is neither a mail address nor a domain")
    return f"{local}@{name}" if at else name


Targets: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(each(_target)),
    PlainSerializer(list, return_type=list[str]),
    Accepts(
        "array of addresses or domains",
        'an array of mail addresses and domains, such as ["a@example.org", "example.net"]',
        show=show_list,
        bare=True,
    ),
]


def _address(text: str) -> str:
    name = domain_of(text)
    if not name or not text.isprintable() or not text.rpartition("@")[0]:
        raise ValueError("is not a mail address")
    return f"{text.rpartition('@')[0]}@{name}"


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is not an IP address") from None


MailAddress: TypeAlias = Annotated[str, AfterValidator(_address), Accepts("address", "a mail address")]
IpAddress: TypeAlias = Annotated[str, AfterValidator(_ip_address), Accepts("IP address", "an IPv4 or IPv6 address")]

Interval = Annotated[Duration, Field(ge=SECOND, le=DAY)]


class ProbeSettings(Section):
    """
    Deliberate tests that the server makes on request, each off unless it is configured. They need a login of their own,
    since the exporter's own key should only read: up to v0.15 with `authenticate troubleshoot spam-filter-test`, from
    v0.16 on with `authenticate liveDeliveryTest sysActionCreate actionClassifySpam actionTroubleshootDmarc`.
    """

    username: Username | None = Field(
        default=None,
        description="Basic authentication: name of an account or, up to Stalwart v0.15, of an API key.",
    )
    password: Password | None = Field(
        default=None, description="Password, or secret of the API key. Prefer `password_file`."
    )
    password_file: SecretFile | None = Field(
        default=None, description="File with the password on one line, read at start and at each reload."
    )
    token: Token | None = Field(
        default=None, description="Bearer authentication: an API key or an OAuth token. Prefer `token_file`."
    )
    token_file: SecretFile | None = Field(
        default=None, description="File with the token on one line, read at start and at each reload."
    )
    delivery_to: Targets = Field(
        default=(),
        description="Recipients to which the server tests delivery, up to RCPT TO and without sending a message. One "
        f"per domain, at most {MOST_TARGETS}. The server really connects to the domains' mail hosts: use your own "
        "mailboxes.",
    )
    delivery_interval: Interval = Field(default=HOUR, description="Time between two tests of delivery.")
    delivery_timeout: Annotated[Duration, Field(ge=1, le=5 * MINUTE)] = Field(
        default=30.0, description="The server's deadline for each stage of a delivery."
    )
    spam_recipient: MailAddress | None = Field(
        default=None,
        description="Local recipient of the two messages that the spam filter classifies. Nothing is delivered, but "
        "external lists that the filter asks see the messages.",
    )
    spam_interval: Interval = Field(default=HOUR, description="Time between two tests of the spam filter.")
    dmarc_sender: MailAddress | None = Field(
        default=None,
        description="Sender whose mail the server authenticates, as if it came from `address`.",
    )
    dmarc_interval: Interval = Field(default=HOUR, description="Time between two checks of the sender.")
    sender: MailAddress = Field(default="probe@example.com", description="Sender of the messages for the spam filter.")
    address: IpAddress = Field(
        default="192.0.2.1",
        description="Address from which the messages would come. For `dmarc_sender`, one of those that you send from.",
    )
    helo: HostName = Field(default="probe.example.com", description="Name with which that client would greet.")
    round_trip: RoundTripSettings = Field(default_factory=RoundTripSettings)

    @property
    def credentials(self) -> BasicLogin | BearerToken | None:
        """The login; ``None`` without one, and then the server is asked for no probes."""
        if self.token is not None:
            return BearerToken(self.token)
        if self.username is not None and self.password is not None:
            return BasicLogin(self.username, self.password)
        return None

    @model_validator(mode="wrap")
    @classmethod
    def _check_keys_together(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        filled, unread = with_secrets_read(data, ("password", "token"))
        wants_login = any(data.get(name) for name in (*_PARTS, *_LOGIN))
        found: list[Found] = [*login_problems(data)] if wants_login else []
        found += [((key,), text) for key, text in unread]
        return validate_with(filled, handler, found)

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        domains = [target.rpartition("@")[2] for target in self.delivery_to]
        if len(domains) > MOST_TARGETS:
            raise ValueError(f"delivery_to: more than {MOST_TARGETS} entries")
        if len(set(domains)) < len(domains):
            raise ValueError("delivery_to: two entries of one domain")
        return self
