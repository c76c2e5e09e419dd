"""Reports whose every text is an attack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.reports import wire
from tests.support.reports.history import seconds

TEXTS = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\u202etxt.exe\u202c\u2066\u200f",
    "\x00\x01\x08\x7f\x9b",
    "[red]bold[/red] [/] [link=http://evil.test]x[/link]",
    "\\[bold]x\\\\[blink]y",
    "a\nb\r\nc\td\u2028e\u2029f",
    "x" * 1_000_000,
    "e" + "\u0301" * 5000,
    '=HYPERLINK("http://evil.test")',
    "@SUM(1)",
    "'; DROP TABLE report; --",
    '"} 1\nstalwart_up{server="other"} 1',
    "\ufeff\u200b\u00ad",
    "名前 😀 имя",
    "victim@example.test",
    "",
]


def reports() -> Iterator[tuple[str, object]]:
    """Every text in every place that takes one."""
    span = {"begin": seconds(2), "end": seconds(1)}
    for number, text in enumerate(TEXTS):
        record = wire.record(1, source=text)
        record["identifiers"] = {"header_from": text, "envelope_from": text, "envelope_to": text}
        record["row"]["policy_evaluated"].update(
            {"disposition": text, "dkim": text, "spf": text, "reason": [{"type_": text, "comment": text}]}
        )
        for result in (*record["auth_results"]["dkim"], *record["auth_results"]["spf"]):
            result.update({key: text for key in result})
        published = {"p": text, "sp": text, "adkim": text, "aspf": text, "fo": text, "np": text}
        made = wire.dmarc(f"{number}{text}", reporter=text, records=[record], **span, **published)
        made["report_metadata"].update(email=text, extra_contact_info=text, error=[text, text], generator=text)
        yield "dmarc", made
        yield "dmarc", wire.dmarc("r-1", domain=text, **span)
        policy = wire.tls_policy(text, failures=1, details=[(text, 1)])
        policy["policy"].update({"policy-string": [text], "mx-host": [text]})
        policy["failure-details"][0].update(
            {key: text for key in policy["failure-details"][0] if key != "failed-session-count"}
        )
        yield "tls", {**wire.tls(f"{number}{text}", reporter=text, policies=[policy]), "contact-info": text}
        feedback: dict[str, Any] = {
            key: text if value is None or isinstance(value, str) else value for key, value in wire.arf().items()
        }
        yield "arf", {**feedback, "reported_domain": [text], "reported_uri": [text], "authentication_results": [text]}
