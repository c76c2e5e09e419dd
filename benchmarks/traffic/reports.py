"""DMARC reports as large receivers send them, in the server's JSON and in the XML that they came from."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

SNOWFLAKE_EPOCH = 1_632_280_000
DOMAINS = 40
REPORTERS = ["google.com", "Yahoo", "Enterprise Outlook", "Mail.Ru", "comcast.net", "GMX", "fastmail.com", "seznam.cz"]
DAY = 86400


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    The same reports twice.

    Attributes:
        answers: Id and answer, as the server lists and sends them.
        documents: The XML of each.
    """

    answers: list[tuple[str, bytes]]
    documents: list[str]


def make(count: int, *, now: int, seed: int = 7, domains: int = DOMAINS) -> Traffic:
    """*count* reports of one to nine records about so many *domains*, of the last thirty days, the oldest first."""
    rng = random.Random(seed)  # noqa: S311 - the same reports at every run
    answers, documents = [], []
    for number in range(count):
        begin = (now // DAY - 30 + 30 * number // count) * DAY
        domain, reporter = f"customer-{rng.randrange(domains)}.example", rng.choice(REPORTERS)
        report_id = f"{rng.getrandbits(64)}"
        records = [_record(rng, domain) for _ in range(rng.randint(1, 9))]
        id_ = f"{((now - count + number - SNOWFLAKE_EPOCH) * 1000 << 21) + seed}_{now + 30 * DAY}"
        answers.append((id_, _json(reporter, report_id, domain, begin, records)))
        documents.append(_xml(reporter, report_id, domain, begin, records))
    return Traffic(answers, documents)


Record = tuple[str, int, str, bool, bool, str]


def _record(rng: random.Random, domain: str) -> Record:
    octets = [rng.randint(1, 223), *(rng.randint(0, 255) for _ in range(3))]
    source = (
        ".".join(map(str, octets))
        if rng.random() < 0.8
        else f"2a01:4f8:{rng.randint(1, 65535):x}::{rng.randint(1, 9):x}"
    )
    dkim, spf = rng.random() < 0.9, rng.random() < 0.8
    disposition = "none" if dkim or spf else rng.choice(["none", "quarantine", "reject"])
    return source, rng.randint(1, 400), disposition, dkim, spf, domain


def _json(reporter: str, report_id: str, domain: str, begin: int, records: list[Record]) -> bytes:
    report = {
        "version": 1.0,
        "report_metadata": {
            "org_name": reporter,
            "email": f"noreply-dmarc@{reporter.lower().replace(' ', '-')}",
            "extra_contact_info": None,
            "report_id": report_id,
            "date_range": {"begin": begin, "end": begin + DAY - 1},
            "error": [],
        },
        "policy_published": {
            "domain": domain,
            "version_published": None,
            "adkim": "Relaxed",
            "aspf": "Relaxed",
            "p": "Quarantine",
            "sp": "Unspecified",
            "testing": False,
            "fo": None,
        },
        "record": [
            {
                "row": {
                    "source_ip": source,
                    "count": count,
                    "policy_evaluated": {
                        "disposition": disposition.title(),
                        "dkim": "Pass" if dkim else "Fail",
                        "spf": "Pass" if spf else "Fail",
                        "reason": [],
                    },
                },
                "identifiers": {"envelope_to": None, "envelope_from": of, "header_from": of},
                "auth_results": {
                    "dkim": [
                        {"domain": of, "selector": "s1", "result": "Pass" if dkim else "Fail", "human_result": None}
                    ],
                    "spf": [
                        {"domain": of, "scope": "MailFrom", "result": "Pass" if spf else "Fail", "human_result": None}
                    ],
                },
                "extensions": [],
            }
            for source, count, disposition, dkim, spf, of in records
        ],
        "extensions": [],
    }
    mail = {"from": "noreply@example", "to": ["dmarc@example"], "subject": f"Report domain: {domain}", "report": report}
    return json.dumps({"data": mail}, separators=(",", ":")).encode()


def _xml(reporter: str, report_id: str, domain: str, begin: int, records: list[Record]) -> str:
    rows = "".join(
        f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>"
        f"<disposition>{disposition}</disposition><dkim>{_word(dkim)}</dkim><spf>{_word(spf)}</spf></policy_evaluated></row>"
        f"<identifiers><envelope_from>{of}</envelope_from><header_from>{of}</header_from></identifiers><auth_results>"
        f"<dkim><domain>{of}</domain><selector>s1</selector><result>{_word(dkim)}</result></dkim>"
        f"<spf><domain>{of}</domain><scope>mfrom</scope><result>{_word(spf)}</result></spf></auth_results></record>"
        for source, count, disposition, dkim, spf, of in records
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feedback><version>1.0</version><report_metadata>'
        f"<org_name>{reporter}</org_name><email>noreply-dmarc@{reporter.lower().replace(' ', '-')}</email>"
        f"<report_id>{report_id}</report_id><date_range><begin>{begin}</begin><end>{begin + DAY - 1}</end></date_range>"
        f"</report_metadata><policy_published><domain>{domain}</domain><adkim>r</adkim><aspf>r</aspf><p>quarantine</p>"
        f"</policy_published>{rows}</feedback>"
    )


def _word(passed: bool) -> str:
    return "pass" if passed else "fail"
