"""The table of the pages; each one is imported at its first visit, since scrapes need none of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.web.pages.visit import Page


@dataclass(frozen=True, slots=True)
class PageRoute:
    """
    A page.

    Attributes:
        path: As in Starlette: ``{name}`` takes one segment.
        load: Imports and returns the page.
        personal: Whether it shows personal data, and therefore needs a login or loopback.
        limited: Whether it respects `Visit.only_domain`; others refuse a login of one domain.
    """

    path: str
    load: Callable[[], Page]
    personal: bool = False
    limited: bool = False


def _overview() -> Page:
    from exporter.web.pages.overview.page import overview

    return overview


def _reports() -> Page:
    from exporter.web.pages.reports.overview import reports

    return reports


def _report_domain() -> Page:
    from exporter.web.pages.reports.domain import domain

    return domain


def _report_export() -> Page:
    from exporter.web.pages.reports.export import export

    return export


def _report() -> Page:
    from exporter.web.pages.reports.one import report

    return report


def _server() -> Page:
    from exporter.web.pages.servers.page import server

    return server


def _alerts() -> Page:
    from exporter.web.pages.alerts.page import alerts

    return alerts


def _alert() -> Page:
    from exporter.web.pages.alerts.page import alert

    return alert


def _mail() -> Page:
    from exporter.web.pages.mail.search import search

    return search


def _mail_export() -> Page:
    from exporter.web.pages.mail.export import export

    return export


def _stuck() -> Page:
    from exporter.web.pages.mail.stuck import stuck

    return stuck


def _senders() -> Page:
    from exporter.web.pages.mail.senders import senders

    return senders


def _message() -> Page:
    from exporter.web.pages.mail.message import message

    return message


def _domains() -> Page:
    from exporter.web.pages.domains.listing import domains

    return domains


def _domain() -> Page:
    from exporter.web.pages.domains.one import domain

    return domain


PAGES = (
    PageRoute("/", _overview),
    PageRoute("/mail", _mail, personal=True, limited=True),
    PageRoute("/mail/export", _mail_export, personal=True, limited=True),
    PageRoute("/mail/stuck", _stuck, personal=True),
    PageRoute("/mail/senders", _senders, personal=True),
    PageRoute("/mail/{server}/{queue_id}", _message, personal=True, limited=True),
    PageRoute("/reports", _reports),
    PageRoute("/reports/export", _report_export, personal=True),
    PageRoute("/reports/domains/{domain}", _report_domain),
    PageRoute("/reports/{kind}/{id}", _report, personal=True),
    PageRoute("/servers/{name}", _server),
    PageRoute("/alerts", _alerts),
    PageRoute("/alerts/{name}", _alert),
    PageRoute("/domains", _domains),
    PageRoute("/domains/{server}/{domain}", _domain),
)
