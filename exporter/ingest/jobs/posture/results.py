"""The results of one server's checks in memory, and what of them is not in the history yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog

from exporter.clock import Clock
from exporter.errors import StoreError
from exporter.ingest.jobs.posture.reporters import AT_LEAST, LOOK_BACK, SETTLED, reporter_outcomes
from exporter.ingest.jobs.posture.since import advance
from exporter.model.posture import HOST_CHECKS, Check, CheckOutcome, CheckState, split_subject
from exporter.state.posture import Posture, Result
from exporter.store.posture.history import Change, Key, PostureHistory, Since

log = structlog.get_logger("exporter.checks")

STATES_AT_ONCE = 200
"""States that are written in one transaction."""

MOST_UNSAVED = 5000
"""The most states, and changes, that are kept while the history cannot be written."""


class Results:
    """
    Results by domain and check.

    Attributes:
        trouble: Why the history could not be written last; ``None`` if it could.
    """

    def __init__(self, history: PostureHistory, server: str, *, clock: Clock) -> None:
        self.trouble: StoreError | None = None
        self._history = history
        self._server = server
        self._clock = clock
        self._loaded = False
        self._since: dict[Key, Since] = {}
        self._results: dict[Key, Result] = {}
        self._touched: set[Key] = set()
        self._states: dict[Key, CheckState] = {}
        self._changes: list[Change] = []
        self._writing = asyncio.Lock()

    async def begin(self) -> None:
        """Begin a run; the first one reads the history. Raises `StoreError`."""
        if not self._loaded:
            self._since = dict(await self._history.load())
            for key, since in self._since.items():
                if key[1] is Check.BLOCKLISTS and since.result is not None:
                    self._results[key] = Result(since.result, since.changed_at)
            self._loaded = True
        self._touched = set()
        self.trouble = None

    async def note(self, outcomes: Iterable[CheckOutcome]) -> None:
        """Keep *outcomes*, and write what has accumulated now and then."""
        at = int(self._clock.now().timestamp())
        for outcome in outcomes:
            key = outcome.domain, outcome.check
            state, change = advance(self._since.get(key), outcome, at)
            self._since[key] = Since(state.known, state.changed_at, outcome.result, at)
            self._results[key] = Result(outcome.result, state.changed_at)
            self._states[key] = state
            self._touched.add(key)
            if change is not None:
                self._changes.append(change)
                self._tell(change)
        if len(self._states) >= STATES_AT_ONCE:
            await self.save()

    async def note_reporters(self, domains: Collection[str]) -> None:
        """Keep whether those report about *domains* who should; sets `trouble` if the history cannot be read."""
        now = int(self._clock.now().timestamp())
        try:
            expected = await self._history.expected_reports(
                since=now - LOOK_BACK, until=now - SETTLED, at_least=AT_LEAST
            )
        except StoreError as error:
            self.trouble = error
            return
        own = {domain: receivers for domain, receivers in expected.items() if domain in domains}
        await self.note(reporter_outcomes(own, self._results))

    async def forget(self, keep: Callable[[Key], bool]) -> None:
        """Write what is left, and delete the states that this run has not touched unless *keep* says otherwise."""
        gone = [key for key in self._since if key not in self._touched and not keep(key)]
        for key in gone:
            del self._since[key]
            self._results.pop(key, None)
        await self.save(gone)

    async def save(self, gone: Iterable[Key] = ()) -> None:
        """Write what is not in the history yet; sets `trouble` if that fails, and keeps it for the next time."""
        async with self._writing:
            states, changes, self._states, self._changes = self._states, self._changes, {}, []
            try:
                await self._history.save(list(states.values()), changes, list(gone))
            except StoreError as error:
                self.trouble = error
                self._states = dict(list({**states, **self._states}.items())[-MOST_UNSAVED:])
                self._changes = [*changes, *self._changes][-MOST_UNSAVED:]

    def known(self, checks: Collection[Check]) -> frozenset[str]:
        """Return the subjects that have had a result of one of *checks*, other than unknown."""
        return frozenset(
            subject for (subject, check), since in self._since.items() if check in checks and since.known is not None
        )

    def posture(self) -> Posture:
        """Return the results about domains that are known now."""
        return Posture({key: result for key, result in self._results.items() if key[1] not in HOST_CHECKS})

    def of(self, check: Check) -> dict[str, Result]:
        """Return the results of one check by subject; those of blocklists also from before a restart."""
        return {subject: result for (subject, name), result in self._results.items() if name is check}

    def checked_at(self, key: Key) -> int | None:
        """Return when a check was last made, in Unix seconds; ``None`` if it never was."""
        since = self._since.get(key)
        return None if since is None else since.checked_at

    def _tell(self, change: Change) -> None:
        owner, part = split_subject(change.domain)
        log.info(
            "domain_check.changed",
            server=self._server,
            domain=owner,
            **_about(change.check, part),
            check=change.check.value,
            result=change.result.value,
        )


def _about(check: Check, part: str) -> dict[str, str]:
    """Return what a change is about besides its domain; addresses are not logged."""
    if not part:
        return {}
    return {"list": part.rpartition("@")[2]} if check is Check.BLOCKLISTS else {"listener": part}
