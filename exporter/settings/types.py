"""The types of settings: validation, and a description of the accepted values."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator

from exporter.domains import domain_name
from exporter.settings.addresses import ListenAddress, parse_listen, parse_resolver, parse_server_url
from exporter.settings.credentials.secret import Secret, check_secret
from exporter.settings.files import CERTIFICATES_LIMIT_BYTES, read_bounded
from exporter.units import format_duration, format_size, parse_duration, parse_size

MAX_NAME_LENGTH = 64
MAX_LIST_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Accepts:
    """
    Describes what a type accepts; ignored by pydantic.

    Attributes:
        kind: One or two words for the type column of the reference page.
        words: Completes "accepted: ...".
        unit: Unit of the parsed value, or empty.
        show: Formats a value as in the file, without quotes.
        bare: Whether the value is written without quotes.
    """

    kind: str
    words: str
    unit: str = ""
    show: Callable[[Any], str] = str
    bare: bool = False


def _refuse_truth_value(value: object) -> object:
    # pydantic accepts true as 1; in a file it is a mistake.
    if isinstance(value, bool):
        raise ValueError("not a whole number")
    return value


def _check_path(path: Path) -> Path:
    text = str(path)
    if text == ".":
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("contains a control character")
    return path


def _check_readable(path: Path) -> Path:
    read_bounded(path, CERTIFICATES_LIMIT_BYTES)
    return path


def _check_certificates(path: Path) -> Path:
    if b"-----BEGIN CERTIFICATE-----" not in read_bounded(path, CERTIFICATES_LIMIT_BYTES):
        raise ValueError("the file contains no certificate in PEM format")
    return path


def _check_private_key(path: Path) -> Path:
    content = read_bounded(path, CERTIFICATES_LIMIT_BYTES)
    if b"PRIVATE KEY-----" not in content:
        raise ValueError("the file contains no private key in PEM format")
    if b"BEGIN ENCRYPTED PRIVATE KEY" in content or b"Proc-Type: 4,ENCRYPTED" in content:
        raise ValueError("the private key is encrypted, which is not supported")
    return path


def _check_name(name: str) -> str:
    if not name.isprintable():
        raise ValueError("contains a control character")
    if name != name.strip():
        raise ValueError("starts or ends with a space")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"longer than {MAX_NAME_LENGTH} characters")
    return name


def _check_username(name: str) -> str:
    if not name.strip():
        raise ValueError("is empty")
    if not name.isprintable() or ":" in name:
        raise ValueError("contains a colon or a control character, which Basic authentication does not allow")
    return name


def _check_host_name(name: str) -> str:
    known = domain_name(name.strip())
    if known is None:
        raise ValueError("is not a host name")
    return known


def _check_token(token: Secret) -> Secret:
    value = token.get_secret_value()
    if not value.isascii() or " " in value:
        raise ValueError("contains a space or a non-ASCII character, which no token has")
    return token


def _check_url_path(path: str) -> str:
    if path and not _URL_PATH.fullmatch(path):
        raise ValueError("not a path of letters, digits and -._~/ that begins with a slash")
    if path.rstrip("/") in _TAKEN_PATHS or path.startswith("/-/"):
        raise ValueError("the exporter serves a page of its own there")
    return path


_URL_PATH = re.compile(r"/[A-Za-z0-9._~/-]{1,200}")
_TAKEN_PATHS = ("/metrics", "/-")


def parse_list(value: object) -> tuple[object, ...]:
    """Accept an array, or a string with commas as in an environment variable."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError("not an array")
    if len(value) > MAX_LIST_LENGTH:
        raise ValueError(f"more than {MAX_LIST_LENGTH} entries")
    return tuple(value)


def each(parse: Callable[[str], str]) -> Callable[[object], tuple[str, ...]]:
    """Return a validator of an array whose entries *parse* accepts, or normalises."""

    def check(value: object) -> tuple[str, ...]:
        entries = parse_list(value)
        if not all(isinstance(entry, str) for entry in entries):
            raise ValueError("an entry is not a string")
        return tuple(dict.fromkeys(parse(str(entry)) for entry in entries))

    return check


def _domain(text: str) -> str:
    name = domain_name(text.strip())
    if name is None:
        raise ValueError("an entry is not a domain name")
    return name


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise ValueError("an entry is not an IP address") from None


def _mail_address(text: str) -> str:
    local, at, domain = text.strip().rpartition("@")
    if not local or not at or domain_name(domain) is None or not local.isprintable():
        raise ValueError("an entry is not a mail address")
    return f"{local.lower()}@{_domain(domain)}"


def show_list(values: Any) -> str:
    """Format an array as in the file."""
    return "[" + ", ".join(json.dumps(str(value)) for value in values) + "]"


_DURATION_WORDS = "a duration such as 30s, 5m, 1h30m or 500ms, or a number of seconds"

Duration: TypeAlias = Annotated[
    float,
    BeforeValidator(parse_duration),
    Accepts("duration", _DURATION_WORDS, "seconds", format_duration),
]
Size: TypeAlias = Annotated[
    int,
    BeforeValidator(parse_size),
    Accepts("size", "a size such as 64MiB (B, KiB, MiB, GiB), or a number of bytes", "bytes", format_size),
]
Count: TypeAlias = Annotated[
    int,
    BeforeValidator(_refuse_truth_value),
    Accepts("whole number", "a whole number", bare=True),
]
Listen: TypeAlias = Annotated[
    ListenAddress,
    PlainValidator(parse_listen),
    PlainSerializer(str, return_type=str),
    Accepts("address", "HOST:PORT, such as 127.0.0.1:9787, [::1]:9787 or 0.0.0.0:9787; port 0 selects a free one"),
]
ServerUrl: TypeAlias = Annotated[
    str,
    BeforeValidator(parse_server_url),
    Accepts("URL", "https://HOST or https://HOST:PORT (or http://), without path, query or credentials"),
]
Name: TypeAlias = Annotated[
    str,
    AfterValidator(_check_name),
    Accepts("string", f"a string of at most {MAX_NAME_LENGTH} printable characters"),
]
Username: TypeAlias = Annotated[
    str,
    AfterValidator(_check_username),
    Accepts("string", "a string without colons and control characters"),
]
HostName: TypeAlias = Annotated[
    str,
    AfterValidator(_check_host_name),
    Accepts("host name", "a host name such as smtp.example.org"),
]
Password: TypeAlias = Annotated[
    Secret,
    AfterValidator(check_secret),
    Accepts("secret", "a string without line breaks"),
]
Token: TypeAlias = Annotated[
    Secret,
    AfterValidator(check_secret),
    AfterValidator(_check_token),
    Accepts("secret", "an ASCII string without spaces"),
]
UrlPath: TypeAlias = Annotated[
    str,
    AfterValidator(_check_url_path),
    Accepts("path", "the path of a URL, such as /webhooks/mx1"),
]
FilePath: TypeAlias = Annotated[
    Path,
    AfterValidator(_check_path),
    Accepts("path", "the path of a file"),
]
Resolvers: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(each(parse_resolver)),
    PlainSerializer(list, return_type=list[str]),
    Accepts(
        "array of addresses",
        'an array of IP addresses, each with a port if it is not 53, such as ["192.0.2.53", "[::1]:5353"]',
        show=show_list,
        bare=True,
    ),
]
Domains: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(each(_domain)),
    PlainSerializer(list, return_type=list[str]),
    Accepts("array of names", 'an array of domain names, such as ["example.org"]', show=show_list, bare=True),
]
IpAddresses: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(each(_ip_address)),
    PlainSerializer(list, return_type=list[str]),
    Accepts("array of addresses", 'an array of IP addresses, such as ["192.0.2.25"]', show=show_list, bare=True),
]
MailAddresses: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(each(_mail_address)),
    PlainSerializer(list, return_type=list[str]),
    Accepts("array of addresses", 'an array of mail addresses, such as ["a@example.org"]', show=show_list, bare=True),
]
ReadableFile: TypeAlias = Annotated[
    FilePath,
    AfterValidator(_check_readable),
    Accepts("path", "the path of a file that the exporter can read"),
]
SecretFile: TypeAlias = Annotated[
    FilePath,
    Accepts("path", "the path of a file with the secret on one line"),
]
CertificatesFile: TypeAlias = Annotated[
    FilePath,
    AfterValidator(_check_certificates),
    Accepts("path", "the path of a file with certificates in PEM format"),
]
PrivateKeyFile: TypeAlias = Annotated[
    FilePath,
    AfterValidator(_check_private_key),
    Accepts("path", "the path of a file with an unencrypted private key in PEM format"),
]
