"""The exposition, read back by prometheus_client's parsers."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.collectors import families as f
from exporter.collectors.exposition import Buckets, Collected, Exposition, Format


class Fixed:
    """A source that shows what it is told to."""

    def __init__(self, *collected: Collected) -> None:
        self.collected: Iterable[Collected] = collected
        self.at = 0
        self.collections = 0

    def version(self) -> object:
        return self.at

    def collect(self) -> Iterator[Collected]:
        self.collections += 1
        yield from self.collected

    def show(self, *collected: Collected) -> None:
        """Shows something else from now on."""
        self.collected = collected
        self.at += 1


def exposition(**sources: Fixed) -> Exposition:
    """An exposition with one server for each of *sources*."""
    out = Exposition(extra=lambda fmt: b"", monotonic=lambda: 0.0)
    for server, source in sources.items():
        out.add(source, server=server)
    out.build()
    return out


def samples(out: Exposition, fmt: Format = Format.TEXT) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Everything that the official parser of *fmt* reads."""
    text = out.exposition(fmt, False)[0].decode()
    parse = parse_openmetrics if fmt is Format.OPENMETRICS else parse_text
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in parse(text) for s in family.samples}


def test_both_formats_say_the_same():
    """The two official parsers read the same samples from the two forms."""
    out = exposition(
        mx1=Fixed(
            (f.QUEUE_MESSAGES, {(): 3}),
            (f.EVENTS, {("auth.failed",): 2**53 + 1, ("auth.success",): 0}),
            (f.SERVER, {("0.15.5", "community", "rest"): 1}),
            (f.QUEUE_AGE, {(): Buckets((60, 300), (1, 0, 2), 1234.5)}),
            (f.SESSION_DURATION, {("imap",): Buckets((0.25, 1.0), (4, 0, 1), 9.5)}),
        ),
        mx2=Fixed((f.QUEUE_MESSAGES, {(): 4}), (f.QUEUE_AGE, {(): Buckets((60, 300), (0, 0, 0), 0.0)})),
    )

    text, openmetrics = samples(out), samples(out, Format.OPENMETRICS)

    assert text == openmetrics
    assert text["stalwart_queue_message_age_seconds_bucket", (("le", "+Inf"), ("server", "mx1"))] == 3
    assert text["stalwart_queue_message_age_seconds_gsum", (("server", "mx1"),)] == 1234.5
    assert text["stalwart_session_duration_seconds_count", (("protocol", "imap"), ("server", "mx1"))] == 5


@given(st.text(), st.text())
def test_a_label_value_survives_whatever_it_is(first, second):
    """Quotes, backslashes and line breaks are read back; what cannot be printed becomes a replacement character."""
    out = exposition(mx1=Fixed((f.LOG_ENTRIES, {(first, second): 1})))

    read = [dict(labels) for (_, labels) in samples(out, Format.OPENMETRICS)]

    def shown(text: str) -> str:
        safe = "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
        return "".join("�" if 0xD800 <= ord(c) <= 0xDFFF else c for c in safe)

    assert [(labels["level"], labels["event"]) for labels in read] == [(shown(first), shown(second))]


def test_a_vanished_label_value_vanishes():
    """What a source no longer shows is gone from the next document."""
    source = Fixed((f.QUEUE_RECIPIENTS, {("remote", "scheduled"): 1, ("local", "scheduled"): 2}))
    out = exposition(mx1=source)

    source.show((f.QUEUE_RECIPIENTS, {("local", "scheduled"): 2}))
    out.build()

    assert len(samples(out)) == 1


def test_an_unchanged_document_is_the_same_bytes_and_asks_no_source():
    """A scrape without a change copies what is there."""
    source = Fixed((f.QUEUE_MESSAGES, {(): 3}))
    out = exposition(mx1=source)
    first = out.exposition(Format.TEXT, True)[0]

    out.build()

    assert out.exposition(Format.TEXT, True)[0] is first
    assert source.collections == 1


def test_the_compressed_form_is_the_plain_one():
    """gzip changes the coding, not the content."""
    out = exposition(mx1=Fixed((f.QUEUE_MESSAGES, {(): 3})))

    assert gzip.decompress(out.exposition(Format.OPENMETRICS, True)[0]) == out.exposition(Format.OPENMETRICS, False)[0]


def test_a_form_that_is_asked_for_is_kept_ready():
    """A change is written out at once in the forms that are in use, not at the next scrape."""
    source = Fixed((f.QUEUE_MESSAGES, {(): 3}))
    out = exposition(mx1=source)
    out.exposition(Format.TEXT, False)

    source.show((f.QUEUE_MESSAGES, {(): 5}))
    out.build()
    calls = source.collections

    assert samples(out) == {("stalwart_queue_messages", (("server", "mx1"),)): 5}
    assert source.collections == calls == 2


def test_a_server_that_goes_takes_its_samples_with_it():
    """After a reload without a server nothing of it is shown."""
    out = exposition(mx1=Fixed((f.UP, {(): 1})), mx2=Fixed((f.UP, {(): 1})))

    out.remove("mx1")
    out.build(force=True)

    assert [dict(labels)["server"] for _, labels in samples(out)] == ["mx2"]


def test_every_family_is_declared_once_and_fits_its_type():
    """Counters end in _total, infos in _info, and nothing else does."""
    names = [family.name for family in f.FAMILIES]

    assert len(set(names)) == len(names)
    for family in f.FAMILIES:
        assert family.name.endswith("_total") == (family.kind is f.Kind.COUNTER), family.name
        assert family.name.endswith("_info") == (family.kind is f.Kind.INFO), family.name
        assert family.help.endswith(".")
