"""The families of checks; see `exporter.collectors.families`."""

from __future__ import annotations

from exporter.collectors.family import Kind
from exporter.collectors.family import family as _f

DOMAIN_CHECK = _f(
    Kind.GAUGE,
    "stalwart_domain_check",
    "1 for the latest result of each check of a domain (or of the server, by its host name); in 'other', the number of "
    "further domains with it.",
    ("domain", "check", "result"),
    source="checks",
)
DOMAIN_CHECK_CHANGE = _f(
    Kind.GAUGE,
    "stalwart_domain_check_change_timestamp_seconds",
    "Time the check's result last changed between good and bad, or was first seen.",
    ("domain", "check"),
    source="checks",
)
SERVED_CERTIFICATE_CHECK = _f(
    Kind.GAUGE,
    "stalwart_served_certificate_check",
    "1 for the latest result of each check of the certificate that a listener shows; in 'other', the number of further "
    "hosts with it.",
    ("host", "port", "family", "check", "result"),
    source="checks",
)
SERVED_CERTIFICATE_NOT_AFTER = _f(
    Kind.GAUGE,
    "stalwart_served_certificate_not_after_timestamp_seconds",
    "Expiry of the certificate that a listener shows; in 'other', the earliest of further hosts.",
    ("host", "port", "family"),
    source="checks",
)
BLOCKLIST_ADDRESSES = _f(
    Kind.GAUGE,
    "stalwart_blocklist_addresses",
    "Addresses that mail is sent from which a blocklist has (listed) or has not (clean), or unknown; in 'other', of "
    "further lists.",
    ("list", "family", "result"),
    source="checks",
)
BLOCKLIST_CHANGE = _f(
    Kind.GAUGE,
    "stalwart_blocklist_change_timestamp_seconds",
    "Time an address was last listed or removed, or first looked for.",
    ("list", "family"),
    source="checks",
)
