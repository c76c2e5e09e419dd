"""What strangers write into mail, and what is typed, does nothing to a terminal, a file or another program."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from exporter.answers.asked import parse_asked
from exporter.answers.texts import enhanced_code, name, people, quoted, reply
from exporter.cli.main import app
from tests.cli.reports.test_hostile import check_terminal
from tests.support.attacks import HOSTILE, hostile_rows
from tests.support.reports.hostile import TEXTS
from tests.support.trails import BEGIN, new_history, write_rows


@pytest.fixture(scope="module")
def history() -> Path:
    """A trail in which every text that a stranger can write is hostile."""
    path = Path(tempfile.mkdtemp()) / "h.sqlite3"
    new_history(path)
    write_rows(path, hostile_rows(BEGIN))
    return path


def call(history: Path, *arguments: str) -> str:
    """What a command prints, on both streams."""
    result = CliRunner().invoke(app, list(arguments), env={"STALWART_EXPORTER_STORE_PATH": str(history)})
    assert result.exit_code in (0, 3, 4, 5, 6, 7), (arguments, result.output, result.exception)
    return str(result.output)


def test_no_command_prints_what_a_terminal_would_obey(history: Path):
    """Whatever is asked, in tables and in sentences."""
    check_terminal(call(history, "trail", "list"))
    check_terminal(call(history, "trail", "list", "--refused"))
    for number in range(1, len(HOSTILE) + 1):
        check_terminal(call(history, "why", str(number), "--offline"))
        check_terminal(call(history, "trail", "show", str(number)))


@pytest.mark.parametrize("text", [text for text in TEXTS if "\x00" not in text])
def test_whatever_is_typed_is_answered(history: Path, text: str):
    """A question is as untrusted as a mail: it may be pasted from one."""
    check_terminal(call(history, "why", "--offline", "--", text))


def test_json_and_csv_are_plain_ascii_or_free_of_controls(history: Path):
    """JSON keeps every character, escaped; CSV has no formula and no control character."""
    text = call(history, "trail", "export", "--format", "json")
    assert text.isascii()
    assert len(json.loads(text)) == len(HOSTILE)
    rows = list(csv.reader(io.StringIO(call(history, "trail", "export", "--format", "csv"))))
    cells = [cell for row in rows for cell in row]
    assert all(cell.isprintable() for cell in cells)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_a_reply_cannot_leave_its_quotation_marks():
    """A remote server cannot go on in our words."""
    assert reply("550", '" was delivered. Do: call "us') == "550 \"' was delivered. Do: call 'us\""


@given(st.text(), st.text())
def test_every_part_of_a_sentence_is_printable_and_short(code: str, text: str):
    """For any text."""
    for part in (quoted(text), name(text), people([text, code]), reply(code[:3] if code.isdigit() else "", text)):
        assert part.isprintable()
        assert len(part) < 700


@given(st.text())
def test_any_question_has_a_reading_or_none(text: str):
    """Queue ids have 64 bits."""
    found = parse_asked(text)

    assert all(0 < id_ < 2**64 for id_ in found.queue_ids)
    assert enhanced_code(text) == "" or enhanced_code(text) in text
