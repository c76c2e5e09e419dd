"""Listen addresses and server URLs, validated and normalised."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_LISTEN = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535
_MAX_HOST_LENGTH = 253


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """
    A host and TCP port to listen on.

    Attributes:
        host: An IP address (IPv6 without brackets) or a host name.
        port: 0 lets the system choose one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> ListenAddress:
    """Parse ``127.0.0.1:9787``, ``[::1]:9787`` or ``localhost:0``; raises `ValueError`."""
    if isinstance(value, ListenAddress):
        return value
    if not isinstance(value, str):
        raise ValueError("not a string")
    match = _LISTEN.fullmatch(value.strip())
    if match is None:
        hint = " (write an IPv6 address in brackets)" if value.count(":") > 1 else ""
        raise ValueError(f"not HOST:PORT{hint}")
    host, port = match["v6"] if match["v6"] is not None else match["host"], int(match["port"])
    if not host:
        raise ValueError("the host is missing (use 0.0.0.0 or [::] for every interface)")
    valid = _is_ip(host, 6) if match["v6"] is not None else _is_host(host)
    if not valid:
        raise ValueError("the part before the port is neither an IP address nor a host name")
    if port > _MAX_PORT:
        raise ValueError(f"the port is above {_MAX_PORT}")
    return ListenAddress(host, port)


def parse_listens(value: object) -> tuple[ListenAddress, ...]:
    """Parse one address, or several in an array or separated by commas; raises `ValueError`."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, ListenAddress):
        value = (value,)
    if not isinstance(value, list | tuple):
        raise ValueError("neither a string nor an array of strings")
    if not value:
        raise ValueError("names no address")
    return tuple(dict.fromkeys(parse_listen(entry) for entry in value))


def parse_resolver(text: str) -> str:
    """Normalise the address of a DNS resolver to ``192.0.2.53:53`` or ``[::1]:53``; raises `ValueError`."""
    bare = text.strip()
    if _is_ip(bare, 4) or _is_ip(bare, 6):
        return str(ListenAddress(bare, 53))
    address = parse_listen(bare)
    if address.port == 0 or not (_is_ip(address.host, 4) or _is_ip(address.host, 6)):
        raise ValueError("an entry is not an IP address with an optional port")
    return str(address)


def parse_server_url(value: object) -> str:
    """
    Normalise a server's URL to ``https://host`` or ``https://host:port``, in lower case.

    Raises `ValueError`, whose message never contains the value: it may hold a password.
    """
    if not isinstance(value, str):
        raise ValueError("not a string")
    text = value.strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("contains a space or a non-ASCII character (write an international name in its xn-- form)")
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError("does not start with https:// or http://")
    _refuse_extras(text)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the host or the port is not valid") from None
    if not (_is_ip(host, 6) if "[" in parts.netloc else _is_host(host)):
        raise ValueError("the host is neither an IP address nor a host name")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("the port is not valid")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme.lower()}://{shown}" + (f":{port}" if port is not None else "")


def host_of(url: str) -> str:
    """Return the host of a URL from `parse_server_url`, IPv6 without brackets."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or address alone; nothing is resolved."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_extras(text: str) -> None:
    netloc, _, path = text.split("://", 1)[1].partition("/")
    if "@" in netloc:
        raise ValueError("contains credentials; set them in keys of their own")
    if "?" in text or "#" in text:
        raise ValueError("contains a query or a fragment")
    if path:
        raise ValueError("contains a path")


def _is_host(host: str) -> bool:
    # A dotted number must be an IPv4 address: 10.0.0.300 is a mistake, not a name.
    if re.fullmatch(r"[0-9.]+", host):
        return _is_ip(host, 4)
    return len(host) <= _MAX_HOST_LENGTH and _HOST_NAME.fullmatch(host) is not None


def _is_ip(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False
