"""Differences between readings of a server's totals."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.counting.totals import Baseline, increments_since
from exporter.model.telemetry import HistogramTotals, ServerTotals

WRAP = 2**32
IDS = ["delivery.delivered", "auth.failed", "queue.rescheduled"]


def frame(counters: dict[str, int], histograms: dict[str, HistogramTotals] | None = None) -> ServerTotals:
    """A reading, as a server prints it: zeros left out, counters of 32 bits."""
    printed = {name: value % WRAP for name, value in counters.items() if value % WRAP}
    return ServerTotals(counters=printed, gauges={}, histograms=histograms or {})


def tally(frames: list[ServerTotals], *, through_json: bool = False) -> dict[tuple[str, tuple[str, ...]], int]:
    """What all *frames* add up to, first contact adopted as it stands."""
    baseline, sums = Baseline(), {}
    for totals in frames:
        for key, amount in increments_since(baseline, totals).items():
            assert amount >= 0
            sums[key] = sums.get(key, 0) + amount
        baseline = Baseline.of(totals)
        if through_json:
            baseline = Baseline.from_state(json.loads(json.dumps(baseline.to_state())))
    return sums


def test_first_contact_adopts_the_totals_as_they_stand():
    """Our counters begin equal to the server's own page."""
    assert tally([frame({"auth.failed": 7})]) == {("events", ("auth.failed",)): 7}


def test_a_counter_that_passes_32_bits_goes_on():
    """A wrap is the way over the top, not a restart."""
    before = frame({"store.data-iterate": WRAP - 10, "auth.failed": 3})
    after = frame({"store.data-iterate": WRAP + 25, "auth.failed": 3})

    sums = tally([before, after])

    assert sums["events", ("store.data-iterate",)] == WRAP + 25


def test_a_restart_counts_what_the_new_process_has_counted():
    """After a restart the whole frame starts from zero, also the counters that are higher than before."""
    before = frame({"auth.failed": 50, "delivery.delivered": 3})
    after = frame({"auth.failed": 2, "delivery.delivered": 9})

    sums = tally([before, after])

    assert sums == {("events", ("auth.failed",)): 52, ("events", ("delivery.delivered",)): 12}


def test_a_restart_shows_in_a_counter_that_vanished():
    """Zeros are left out, so a counter that is gone has fallen to zero."""
    sums = tally([frame({"auth.failed": 50, "delivery.delivered": 3}), frame({"delivery.delivered": 5})])

    assert sums["events", ("delivery.delivered",)] == 8


def test_a_restart_near_the_wrap_is_not_taken_for_a_wrap():
    """A counter close to 2**32 that falls together with others has restarted."""
    before = frame({"store.data-iterate": WRAP - 10, "auth.failed": 300})
    after = frame({"store.data-iterate": 5, "auth.failed": 1})

    assert tally([before, after])["events", ("store.data-iterate",)] == WRAP - 10 + 5


def test_a_histogram_that_fell_is_a_restart():
    """Observation counts have 64 bits: they fall only when the process is a new one."""
    old = HistogramTotals(sum=5000, count=10, bounds=(100,), counts=(4, 6))
    new = HistogramTotals(sum=300, count=2, bounds=(100,), counts=(1, 1))

    sums = tally(
        [frame({"auth.failed": 1}, {"dns.lookup-time": old}), frame({"auth.failed": 1}, {"dns.lookup-time": new})]
    )

    assert sums["dns.lookup-time:bucket", ("100",)] == 5
    assert sums["dns.lookup-time:bucket", ("inf",)] == 7
    assert sums["dns.lookup-time:sum", ()] == 5300
    assert sums["events", ("auth.failed",)] == 2


def test_an_exit_without_buckets_continues_a_histogram():
    """The count goes on in the last bucket when a source has no buckets."""
    old = HistogramTotals(sum=5000, count=10, bounds=(100,), counts=(4, 6))
    new = HistogramTotals(sum=5600, count=13)

    sums = tally([frame({}, {"dns.lookup-time": old}), frame({}, {"dns.lookup-time": new})])

    assert sum(v for (name, _), v in sums.items() if name == "dns.lookup-time:bucket") == 13
    assert sums["dns.lookup-time:sum", ()] == 5600


steps = st.lists(
    st.one_of(
        st.just("restart"),
        st.dictionaries(st.sampled_from(IDS), st.integers(1, 2**31 - 1), min_size=1),
    ),
    max_size=12,
)


@given(steps, st.booleans())
def test_the_tally_is_what_happened_as_long_as_restarts_show(script, through_json):
    """Whatever rises, wraps and restarts between readings, the tally is the truth where the frames can tell."""
    truth: dict[str, int] = {}
    current: dict[str, int] = dict.fromkeys(IDS, 0)
    marker = 0
    frames = []
    for step in script:
        if step == "restart":
            current = dict.fromkeys(IDS, 0)
            marker = 0
        else:
            for name, amount in step.items():
                current[name] += amount
                truth[name] = truth.get(name, 0) + amount
        # A histogram grows with every reading and has 64 bits: it makes every restart visible.
        marker = 1 if step == "restart" else marker + 2
        histogram = HistogramTotals(sum=marker, count=marker)
        frames.append(frame(current, {"dns.lookup-time": histogram}))

    visible = [f for i, f in enumerate(frames) if i == 0 or f is not frames[i - 1]]
    sums = tally(visible, through_json=through_json)

    lost = has_hidden_restart(script)
    counted = {labels[0]: value for (name, labels), value in sums.items() if name == "events" and value}
    assert lost or counted == truth


def has_hidden_restart(script: list[object]) -> bool:
    """A restart right at the start of the script falls from nothing: the histogram does not fall there."""
    height = 0
    for step in script:
        if step == "restart":
            if height <= 1:
                return True
            height = 1
        else:
            height += 2
    return False
