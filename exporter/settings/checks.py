"""The settings of the checks of domains."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.model.outside import DEFAULT_PORTS
from exporter.settings.section import Section
from exporter.settings.servers.ports import Ports
from exporter.settings.types import (
    CertificatesFile,
    Count,
    Domains,
    Duration,
    FilePath,
    HostName,
    IpAddresses,
    MailAddresses,
    Resolvers,
)
from exporter.units import DAY, HOUR, MINUTE, SECOND


class CheckSettings(Section):
    """
    Checks of the servers' domains: what is published in DNS, and served to others, against what the server wants.
    """

    enabled: bool = Field(
        default=True,
        description="Whether to check domains. The checks ask the resolver about the servers' own domains, fetch their "
        "MTA-STS policies, and look at the certificates of mail hosts that have TLSA records and of the servers' own "
        "listeners. Blocklists are asked about the servers' addresses. Nobody else is asked. "
        "`source_names` are about addresses in reports.",
    )
    interval: Annotated[Duration, Field(ge=SECOND, le=DAY)] = Field(
        default=HOUR, description="Time between the starts of two runs of all checks."
    )
    served_certificates: bool = Field(
        default=True,
        description="Whether to look at the certificates that the servers' own listeners show. Each listener gets one "
        "connection per run; nobody logs in and no mail is sent.",
    )
    blocklists: Domains = Field(
        default=("zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com"),
        description="Blocklists in DNS to ask, once per hour, about the addresses that the servers send mail from. An "
        "empty array disables it. Some lists refuse queries through public resolvers; their results are unknown.",
    )
    resolver: Resolvers = Field(
        default=(),
        json_schema_extra={"default": "those of the system"},
        description="DNS resolvers to ask, in this order. They must resolve recursively.",
    )
    trust_resolver: bool = Field(
        default=False,
        description="Whether to believe a resolver that says it has validated an answer with DNSSEC, which DANE "
        "needs. Resolvers on this machine are always believed; set it if the network between is yours.",
    )
    source_names: bool = Field(
        default=True,
        description="Whether to ask the resolver for the names of the sources in DMARC reports, the thousand busiest.",
    )
    as_database: FilePath | None = Field(
        default=None,
        description="Database of autonomous systems in MaxMind's format (such as GeoLite2-ASN.mmdb), from which the "
        "sources in DMARC reports get the name of their network. If the file is missing or broken, a warning is logged "
        "and they do without.",
    )
    query_timeout: Annotated[Duration, Field(ge=0.1, le=30 * SECOND)] = Field(
        default=3.0, description="Deadline for the response to one DNS query. Each is sent at most twice."
    )
    queries_per_second: Count = Field(
        default=75,
        ge=1,
        le=90,
        json_schema_extra={"unit": "queries per second"},
        description="Maximum rate of DNS queries of the whole exporter. A domain takes about seven per run.",
    )
    host_timeout: Annotated[Duration, Field(ge=0.1, le=2 * MINUTE)] = Field(
        default=10.0, description="Deadline for fetching an MTA-STS policy, or a certificate from a listener."
    )
    ca_file: CertificatesFile | None = Field(
        default=None,
        description="Certificate authorities (PEM) to trust for MTA-STS policies and the certificates of listeners, "
        "instead of the system trust store. For laboratories, and servers for members of an organisation only: others "
        "trust public authorities.",
    )


class OwnCheckSettings(Section):
    """What the checks cannot learn from the server."""

    domains: Domains = Field(
        default=(),
        json_schema_extra={"default": "all of the server"},
        description="Domains to check, instead of all domains of the server. For a key that may not list them, or to "
        "leave out domains that are not meant to work.",
    )
    host: HostName = Field(
        default="",
        json_schema_extra={"default": "learned from the server"},
        description="Name of the mail host, with which it greets other servers.",
    )
    addresses: IpAddresses = Field(
        default=(),
        json_schema_extra={"default": "those of `host`"},
        description="Addresses that the server sends mail from. Set them if they differ from those that it receives "
        "mail on, for example behind a relay.",
    )
    mail_hosts: Domains = Field(
        default=(),
        description="Further hosts that receive mail for the domains, such as a filtering service.",
    )
    certificate_hosts: Domains = Field(
        default=(),
        json_schema_extra={"default": "the mail host"},
        description="Names of the server whose listeners are looked at: mail clients and other servers use them.",
    )
    certificate_ports: Ports = Field(
        default=tuple(map(str, DEFAULT_PORTS)),
        description="Ports where a certificate is expected. Of the default ones, those are left out where nothing "
        "listens; if you list them, a refused connection is bad. An empty array disables the checks of this server's "
        "listeners.",
    )
    report_addresses: MailAddresses = Field(
        default=(),
        description="Further addresses that DMARC and TLS reports may go to, such as those of a report service.",
    )
