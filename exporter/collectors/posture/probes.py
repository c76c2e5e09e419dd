"""The families of probes."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.collectors import mail_families as m
from exporter.collectors.exposition import Collected
from exporter.model.posture import ProbeResult
from exporter.state.probes import ProbeBoard


class ProbeSource:
    """
    The results of the probes that are configured::

        stalwart_delivery_probe_result{server="mx1",domain="example.net",stage="rcpt_to",result="accepted"} 1
        stalwart_delivery_probe_stage_seconds{server="mx1",domain="example.net",stage="starttls"} 0.041
        stalwart_spam_probe_score{server="mx1",message="spam"} 16.5
        stalwart_round_trip_probe_stage_seconds{server="mx1",stage="visible"} 0.31
    """

    def __init__(self, board: ProbeBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version()

    def collect(self) -> Iterator[Collected]:
        deliveries = {domain: probed.result for domain, probed in sorted(self._board.deliveries.items())}
        yield (
            m.DELIVERY_PROBE_SUCCESS,
            {(domain,): int(probe.result is ProbeResult.ACCEPTED) for domain, probe in deliveries.items()},
        )
        yield (
            m.DELIVERY_PROBE_RESULT,
            {(domain, probe.stage.value, probe.result.value): 1 for domain, probe in deliveries.items()},
        )
        yield (
            m.DELIVERY_PROBE_STAGES,
            {
                (domain, stage.value): seconds
                for domain, probe in deliveries.items()
                for stage, seconds in sorted(probe.seconds.items())
            },
        )
        yield m.DELIVERY_PROBE_TIME, {(domain,): probed.at for domain, probed in sorted(self._board.deliveries.items())}
        spam = {message: probed.result for message, probed in sorted(self._board.spam.items())}
        yield m.SPAM_PROBE_SCORE, {(message,): probe.score for message, probe in spam.items()}
        yield m.SPAM_PROBE_RESULT, {(message, probe.result.value): 1 for message, probe in spam.items()}
        yield (
            m.DMARC_PROBE_RESULT,
            {(part, probed.result): 1 for part, probed in sorted(self._board.authentication.items())},
        )
        trip = self._board.round_trip
        if trip is not None:
            probe = trip.result
            yield m.ROUND_TRIP_SUCCESS, {(): int(probe.arrived)}
            yield m.ROUND_TRIP_RESULT, {(probe.stage.value, probe.result.value): 1}
            yield m.ROUND_TRIP_STAGES, {(stage.value,): seconds for stage, seconds in sorted(probe.seconds.items())}
            yield m.ROUND_TRIP_TIME, {(): trip.at}
