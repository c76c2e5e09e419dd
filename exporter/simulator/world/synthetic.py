"""A queue of any length that is computed on request, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.simulator.world.telemetry.snowflake import TIME_SHIFT, first_id_at
from exporter.simulator.world.values import rfc3339

DAY = 86_400
BLOCK = 64
STEP_MILLISECONDS = 15
_STEP = STEP_MILLISECONDS << TIME_SHIFT
_NODE = 156
# A message consists of pieces; these are the positions of those that differ between messages.
PIECES = 11
_ID, _ADDRESS, _COMMAND, _TIMES, _HASH = 1, 3, 5, 7, 9
_GAP = "\x00"
_RETRIES = (120, 300, 600, 900, 1800, 3600, 7200)
LONGEST_WAIT = max(_RETRIES)


@dataclass(frozen=True, slots=True)
class Pattern:
    """The pattern of every `BLOCK`-th message; the address contains the message's number."""

    domain: str
    number: int
    sender: str
    size: int
    retries: int
    error: str

    @property
    def replies(self) -> bool:
        """Whether its host answered RCPT."""
        return self.error[:1].isdigit()

    @property
    def host(self) -> str:
        """The mail host that answered."""
        return f"mx.{self.domain}"


_DOMAINS = (
    *("big-mailbox.test", "slow-mailbox.test", "defer.test", "other-mailbox.test"),
    *("campus.test", "partner.test", "shop.test", "refused.test"),
)
_ERRORS = (
    "",
    "451:4.7.1:Try again later",
    "451:4.7.1:Try again later",
    "450:4.2.0:Greylisted",
    "452:4.2.2:Mailbox full",
    "",
    "451:4.7.1:Try again later",
    "connect",
)


def _patterns() -> tuple[Pattern, ...]:
    return tuple(
        Pattern(
            domain=_DOMAINS[number % len(_DOMAINS)],
            number=number,
            sender=("alice", "bob", "postmaster")[number % 3] + "@example.test",
            size=1800 + 97 * number,
            retries=0 if not _ERRORS[number % len(_ERRORS)] else 1 + number % 6,
            error=_ERRORS[number % len(_ERRORS)],
        )
        for number in range(BLOCK)
    )


class SyntheticQueue:
    """
    Messages numbered from 0, oldest first, all queued before `now`, `BLOCK` of them per second.

    Attributes:
        count: May change at any time; the newest messages appear and disappear.
    """

    def __init__(self, count: int, now: float, salt: int) -> None:
        self.count = count
        self._start = int(now) - count // BLOCK - 2
        self._salt = salt
        self._first = first_id_at(self._start) | _NODE
        self.patterns = _patterns()
        self._replying = [int(pattern.replies) for pattern in self.patterns]
        self._templates: dict[bool, list[str]] = {}

    def id_at(self, number: int) -> int:
        """Return the id of a message by its number."""
        second, place = divmod(number, BLOCK)
        return self._first + (second * 1000 << TIME_SHIFT) + place * _STEP

    def second_at(self, second: int) -> int:
        """Return when the messages of a second were queued, in Unix seconds."""
        return self._start + second

    def wait(self, second: int) -> int:
        """Return how long the messages of a second wait for their next attempt; it does not decrease over time."""
        return 1 + (second * 37 + self._salt) % _RETRIES[second % len(_RETRIES)]

    def number_from(self, queue_id: int) -> int:
        """Return the number of the first message whose id is not below `queue_id`; `count` if there is none."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self.id_at(middle) < queue_id:
                low = middle + 1
            else:
                high = middle
        return low

    def matching(self, text: str, sender: str, recipient: str, queue: str) -> Iterator[int]:
        """Yield the numbers of the messages that match the list's filters; empty filters match all."""
        for number in range(self.count):
            pattern = self.patterns[number % BLOCK]
            address = f"u{number}@{pattern.domain}"
            if text:
                fits = text in pattern.sender or text in address
            else:
                fits = sender in pattern.sender and recipient in address
            if fits and (not queue or queue == "remote"):
                yield number

    def ids(self, start: int, end: int) -> list[int]:
        """Return the ids of the messages `start` up to, not including, `end`."""
        return [self.id_at(number) for number in range(start, end)]

    def page(self, start: int, end: int, now: float, *, nested: bool) -> bytes:
        """Return the messages `start` up to, not including, `end`, as JSON objects separated by commas."""
        blocks = []
        while start < end:
            second, place = divmod(start, BLOCK)
            stop = min(end - start + place, BLOCK)
            blocks.append(self._block(second, place, stop, now, nested=nested))
            start += stop - place
        return "".join(blocks)[:-1].encode("ascii")

    def one(self, number: int, now: float, *, nested: bool) -> bytes:
        """Return one message as a JSON object."""
        return self.page(number, number + 1, now, nested=nested)

    def number_of(self, queue_id: int) -> int | None:
        """Return the number of the message with exactly this id, or None."""
        second, rest = divmod(queue_id - self._first, 1000 << TIME_SHIFT)
        place, odd = divmod(rest, _STEP)
        number = second * BLOCK + place
        return number if not odd and place < BLOCK and 0 <= number < self.count else None

    def _block(self, second: int, place: int, stop: int, now: float, *, nested: bool) -> str:
        template = self._templates.get(nested)
        if template is None:
            template = self._templates[nested] = [piece for p in self.patterns for piece in _pieces(p, nested=nested)]
        created = self._start + second
        times = (
            f'"next_retry":"{rfc3339(now + self.wait(second))}",'
            f'"next_notify":"{rfc3339(max(created + DAY, now + DAY // 2))}",'
            f'"expires":"{rfc3339(max(created + 3 * DAY, now + DAY))}"}}],"created":"{rfc3339(created)}","size":'
        )
        first, number = self.id_at(second * BLOCK + place), second * BLOCK + place
        count = stop - place
        pieces = template[place * PIECES : stop * PIECES]
        pieces[_ID::PIECES] = map(str, range(first, first + count * _STEP, _STEP))
        numbers = list(map(str, range(number, number + count)))
        pieces[_ADDRESS::PIECES] = numbers
        pieces[_TIMES::PIECES] = (times,) * count
        pieces[_HASH::PIECES] = (f"{second:08d}",) * count
        if not nested:
            pieces[_COMMAND::PIECES] = map(str.__mul__, numbers, self._replying[place:stop])
        return "".join(pieces)


def _status(pattern: Pattern) -> tuple[str, str, str]:
    """Return the status of a flat recipient (up to its number, if any), a nested domain and a nested recipient."""
    if not pattern.error:
        return '"scheduled"', '"scheduled"', '"scheduled"'
    if not pattern.replies:
        text = "I/O error: Connection refused (os error 111)"
        flat = f'{{"temp_fail":"Error for {pattern.host}: Connection failed: {text}"}}'
        nested = f'{{"temp_fail":"Connection to \'{pattern.host}\' failed: {text}"}}'
        return flat, nested, '"scheduled"'
    code, enhanced, message = pattern.error.split(":")
    reply = f"Code: {code}, Enhanced code: {enhanced}, Message: {message}"
    what = f"Unexpected response for RCPT TO:<u{_GAP}@{pattern.domain}>: {reply}"
    return f'{{"temp_fail":"Error for {pattern.host}: {what}"}}', '"scheduled"', f'{{"temp_fail":"{reply}"}}'


def _pieces(pattern: Pattern, *, nested: bool) -> list[str]:
    """Return a message in pieces; those at the positions above are filled in for each message."""
    flat_status, domain_status, recipient_status = _status(pattern)
    opening = f'"return_path":"{pattern.sender}",'
    if nested:
        before = (
            f'{opening}"domains":[{{"name":"{pattern.domain}","status":{domain_status},"recipients":[{{"address":"u'
        )
        after = f'@{pattern.domain}","status":{recipient_status}}}],"retry_num":{pattern.retries},'
    else:
        before = f'{opening}"recipients":[{{"address":"u'
        after = f'@{pattern.domain}","queue":"remote","status":{flat_status},"retry_num":{pattern.retries},'
    head, _, tail = after.partition(_GAP)
    ending = f'{pattern.size},"blob_hash":"kTQ2rUe0Yp5mJt3v0w5o2d6o0oN0m3B2y{pattern.number:02d}'
    return ['{"id":', "", f",{before}", "", head, "", tail, "", ending, "", '"},']
