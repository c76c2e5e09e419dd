"""What a server lacks as a whole is asked for once, and again after an hour."""

from __future__ import annotations

import pytest

from exporter.errors import TargetUnsupported
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.missing_features import CONFIRM_SECONDS, REMEMBERED_SECONDS, MissingFeatures
from tests.support.virtual_time import HandClock

METRICS, TRACES, LOGS = Endpoint.STORED_METRICS, Endpoint.TRACES, Endpoint.LOGS
TOKEN = Endpoint.METRICS_TOKEN
NO_LICENCE = TargetUnsupported("not licensed", status="not_licensed")
NOT_FOUND = TargetUnsupported("404", certain=False)


def is_asked(missing: MissingFeatures, endpoint: Endpoint) -> bool:
    """Whether a request for *endpoint* goes out."""
    try:
        missing.check(endpoint)
    except TargetUnsupported:
        return False
    return True


def test_a_missing_licence_is_missing_for_all_telemetry_at_once():
    """One answer says it; the rest of the server's API is asked as before."""
    missing = MissingFeatures(HandClock())

    missing.note(METRICS, NO_LICENCE)

    with pytest.raises(TargetUnsupported, match=METRICS.label) as caught:
        missing.check(TRACES)
    assert (caught.value.status, caught.value.certain) == ("not_licensed", True)
    assert not is_asked(missing, TOKEN)
    assert is_asked(missing, LOGS)


def test_what_is_missing_is_asked_for_again_within_the_hour():
    """The memory ends before the hourly look, which must reach the server."""
    clock = HandClock()
    missing = MissingFeatures(clock)
    missing.note(METRICS, NO_LICENCE)

    clock.seconds = REMEMBERED_SECONDS - 1
    assert not is_asked(missing, TRACES)

    clock.seconds = REMEMBERED_SECONDS
    assert is_asked(missing, TRACES)
    assert REMEMBERED_SECONDS < 3600


def test_a_404_spares_the_others_for_a_minute_and_is_believed_at_the_second():
    """Until it is confirmed it is reported as uncertain."""
    clock = HandClock()
    missing = MissingFeatures(clock)

    missing.note(METRICS, NOT_FOUND)
    with pytest.raises(TargetUnsupported) as caught:
        missing.check(TRACES)
    assert not caught.value.certain

    clock.seconds = CONFIRM_SECONDS
    assert is_asked(missing, METRICS)
    missing.note(METRICS, NOT_FOUND)
    clock.seconds += REMEMBERED_SECONDS - 1
    assert not is_asked(missing, TRACES)


def test_a_404_where_there_was_telemetry_keeps_nobody_from_asking():
    """One request through a proxy in a rollout does not switch off the other collectors."""
    clock = HandClock()
    missing = MissingFeatures(clock)
    missing.note_there(METRICS)

    missing.note(METRICS, NOT_FOUND)
    assert is_asked(missing, TRACES)

    clock.seconds = CONFIRM_SECONDS
    missing.note(TRACES, NOT_FOUND)
    assert not is_asked(missing, METRICS)


def test_a_good_answer_between_two_404_refutes_the_first():
    """Servers of two kinds behind one name do not add up to a missing feature."""
    clock = HandClock()
    missing = MissingFeatures(clock)
    missing.note_there(METRICS)
    missing.note(METRICS, NOT_FOUND)

    clock.seconds = 30.0
    missing.note_there(TRACES)
    clock.seconds = CONFIRM_SECONDS + 1
    missing.note(METRICS, NOT_FOUND)

    assert is_asked(missing, TRACES)


@pytest.mark.parametrize(
    ("endpoint", "error"),
    [
        (LOGS, TargetUnsupported("404", certain=False)),
        (LOGS, NO_LICENCE),
        (METRICS, TargetUnsupported("no store", status="not_configured")),
    ],
)
def test_what_is_missing_for_one_endpoint_alone_says_nothing_of_the_others(
    endpoint: Endpoint, error: TargetUnsupported
):
    """A log that is not configured, or a metrics store, is no missing licence."""
    missing = MissingFeatures(HandClock())

    missing.note(endpoint, error)

    assert is_asked(missing, METRICS)
    assert is_asked(missing, TRACES)


def test_a_server_that_may_be_another_is_asked_again():
    """Detection forgets what its predecessor lacked."""
    missing = MissingFeatures(HandClock())
    missing.note(METRICS, NO_LICENCE)

    missing.forget()

    assert is_asked(missing, TRACES)
