"""Organisations that send or forward mail for others, recognised by the confirmed name of the sending host."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class SenderKind(StrEnum):
    """What a known sender does with mail of domains that are not its own."""

    SERVICE = "service"
    """Sends on behalf of its customers: newsletters, shops, tickets."""

    MAILBOXES = "mailboxes"
    """Has mailboxes, whose users forward mail."""

    FORWARDER = "forwarder"
    """Forwards or filters mail for its customers, or distributes it to lists."""


class KnownSender(NamedTuple):
    """
    One organisation.

    Attributes:
        domains: The host names end with one of these.
    """

    name: str
    kind: SenderKind
    domains: tuple[str, ...]


_S, _M, _F = SenderKind.SERVICE, SenderKind.MAILBOXES, SenderKind.FORWARDER

KNOWN_SENDERS = (
    KnownSender("Google", _M, ("google.com", "googlemail.com")),
    KnownSender("Microsoft", _M, ("outlook.com", "hotmail.com", "microsoft.com", "office365.com")),
    KnownSender("Yahoo", _M, ("yahoo.com", "yahoodns.net")),
    KnownSender("Apple", _M, ("apple.com", "icloud.com", "me.com")),
    KnownSender("GMX and web.de", _M, ("gmx.net", "web.de", "gmx.com", "mail.com")),
    KnownSender("Zoho", _M, ("zoho.com", "zoho.eu", "zohomail.com")),
    KnownSender("Fastmail", _M, ("messagingengine.com", "fastmail.com")),
    KnownSender("Proton", _M, ("protonmail.ch", "proton.ch")),
    KnownSender("IONOS", _M, ("kundenserver.de", "perfora.net")),
    KnownSender("mail.ru", _M, ("mail.ru",)),
    KnownSender("Comcast", _M, ("comcast.net",)),
    KnownSender("Amazon SES", _S, ("amazonses.com",)),
    KnownSender("SendGrid", _S, ("sendgrid.net",)),
    KnownSender("Mailgun", _S, ("mailgun.net", "mailgun.org", "mailgun.co")),
    KnownSender("Mailchimp", _S, ("mcsv.net", "mcdlv.net", "rsgsv.net", "mandrillapp.com")),
    KnownSender("Brevo", _S, ("sendinblue.com", "brevosend.com")),
    KnownSender("Mailjet", _S, ("mailjet.com",)),
    KnownSender("Postmark", _S, ("mtasv.net",)),
    KnownSender("SparkPost", _S, ("sparkpostmail.com",)),
    KnownSender("Salesforce", _S, ("salesforce.com", "exacttarget.com")),
    KnownSender("HubSpot", _S, ("hubspotemail.net", "hubspot.com")),
    KnownSender("Zendesk", _S, ("zendesk.com",)),
    KnownSender("Constant Contact", _S, ("constantcontact.com",)),
    KnownSender("Mimecast", _F, ("mimecast.com",)),
    KnownSender("Proofpoint", _F, ("pphosted.com", "ppe-hosted.com")),
    KnownSender("Barracuda", _F, ("barracudanetworks.com",)),
    KnownSender("Cisco", _F, ("iphmx.com",)),
    KnownSender("Hornetsecurity", _F, ("hornetsecurity.com", "antispameurope.com")),
    KnownSender("Forward Email", _F, ("forwardemail.net",)),
    KnownSender("ImprovMX", _F, ("improvmx.com",)),
    KnownSender("Cloudflare Email Routing", _F, ("cloudflare-email.net", "cloudflare-email.com")),
)
"""Those that DMARC reports about small servers mention most."""

_BY_DOMAIN = {domain: sender for sender in KNOWN_SENDERS for domain in sender.domains}


def known_sender(host: str) -> KnownSender | None:
    """Return whose *host* it is, a confirmed name in lower case; ``None`` if it is nobody's in the table."""
    labels = host.split(".")
    for start in range(len(labels) - 1):
        sender = _BY_DOMAIN.get(".".join(labels[start:]))
        if sender is not None:
            return sender
    return None
