"""Links to the page of one domain."""

from __future__ import annotations

from markupsafe import Markup

from exporter.domains import domain_name
from exporter.web.pages.base import path_to

USUAL_DAYS, MOST_DAYS = 30, 400
"""The time that the page shows, and the longest that it can."""


def link_to_domain(domain: str, **query: str) -> Markup:
    """Return the address of a domain's page; empty if *domain*, a text of a report, is not a domain name."""
    return Markup("") if domain_name(domain) is None else path_to("reports", "domains", domain, **query)
