"""A server of v0.16 that has received many DMARC reports, which it gives several at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.replays.jmap import JmapServer, MethodError, id_of
from tests.support.replays.jmap_http import serving

__all__ = ["DMARC", "FIRST", "Mailbox", "mailbox", "name", "serving"]

DMARC = "DmarcExternalReport"
FIRST = 7000
RECORDED = JmapServer.recorded()


@dataclass
class Mailbox(JmapServer):
    """
    A server that has received many DMARC reports.

    Attributes:
        together: The ids of each request for reports.
        cannot: Ids that it cannot give, nor anything asked for with them.
        unanswered: Ids of which its answers say nothing.
    """

    together: list[list[str]] = field(default_factory=list)
    cannot: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)

    def get(self, kind: str, arguments: Mapping[str, Any]) -> Any:
        if kind == DMARC:
            self.together.append(list(arguments["ids"]))
            if self.cannot & set(arguments["ids"]):
                raise MethodError("serverFail", "a key is missing")
        answer = super().get(kind, arguments)
        answer["list"] = [row for row in answer["list"] if row["id"] not in self.unanswered]
        return answer


def name(number: int) -> str:
    """The id of the *number*-th report."""
    return id_of(FIRST + number)


def row(number: int) -> dict[str, Any]:
    """The *number*-th report: of so many messages, and one more."""
    made: dict[str, Any] = copy.deepcopy(RECORDED.rows[DMARC][0])
    record = made["report"]["records"]["0"] | {"count": number + 1}
    made["report"] |= {"reportId": f"r-{number}", "records": {"0": record}}
    return made | {"id": name(number)}


def mailbox(count: int) -> Mailbox:
    """A server that has received so many."""
    rows = {DMARC: [row(number) for number in range(count)], "TlsExternalReport": [], "ArfExternalReport": []}
    return Mailbox(session=RECORDED.session, account=RECORDED.account, rows=rows)
