"""Certificates of listeners as samples."""

from __future__ import annotations

from exporter.collectors.posture.served import ServedSource
from exporter.model.outside import Family, Listener, Port, Protocol
from exporter.model.posture import Check, CheckResult
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import ServedCertificates
from exporter.state.tally import TallyBook

PORT = Port(465, Protocol.SMTPS)


def listener(host: str) -> Listener:
    """One over IPv4."""
    return Listener(host, PORT, Family.IPV4)


def test_hosts_beyond_the_limit_are_summed_the_worst_are_named() -> None:
    """`other` has the number of hosts with each result, and their earliest end."""
    board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)
    check = Check.CERTIFICATE_NAMES
    served = ServedCertificates(
        results={
            (listener("a.test"), check): CheckResult.GOOD,
            (listener("b.test"), check): CheckResult.GOOD,
            (listener("c.test"), check): CheckResult.BAD,
        },
        ends={listener("a.test"): 300.0, listener("b.test"): 200.0, listener("c.test"): 100.0},
    )
    board.publish(Part.SERVED, served, fresh_seconds=60)

    [(_, checks), (_, ends)] = ServedSource(board, max_hosts=1).collect()

    assert dict(checks) == {
        ("c.test", "465", "ipv4", "names", "bad"): 1,
        ("other", "465", "ipv4", "names", "good"): 2,
    }
    assert dict(ends) == {("c.test", "465", "ipv4"): 100.0, ("other", "465", "ipv4"): 200.0}
    assert board.dropped["stalwart_served_certificate_check"] == 2
