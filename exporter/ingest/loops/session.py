"""
One server as the pollers see it: who it is, and whether it may be asked now.

Detection runs before anything else, again after every outage, and never in haste. Refused credentials end all asking
until an operator reloads.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import structlog

from exporter.backoff import retry_delay
from exporter.clock import Clock
from exporter.errors import (
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
)
from exporter.ingest.loops.doubt import Doubt
from exporter.ingest.loops.guard import catching_bugs
from exporter.model.server import Capability, CapabilityStatus, Edition, Generation, ServerIdentity
from exporter.stalwart.client import Detector, StalwartClient
from exporter.state.board import Part, ServerBoard

log = structlog.get_logger("exporter.session")

DETECTION_CAP_SECONDS = 60.0
RECHECK_SECONDS = 3600.0

DOWN = (TargetUnreachable, TargetTimeout, TargetTLSError, TargetRefused, TargetServerError)
"""Errors after which the management API counts as not answering with good credentials."""


class Session:
    """
    The state of one watched server. *kept_version* knows the version of a generation that does not disclose it.

    Attributes:
        epoch: Grows each time the server has been found again; what it can give must then be asked anew.
    """

    def __init__(
        self,
        *,
        detector: Detector,
        client: StalwartClient,
        board: ServerBoard,
        clock: Clock,
        rng: random.Random,
        retry_cap_seconds: float = DETECTION_CAP_SECONDS,
        reraise_bugs: bool = False,
        kept_version: Callable[[Generation], str] = lambda _: "",
    ) -> None:
        """A server that is away is looked for after *retry_cap_seconds* at most."""
        self.board = board
        self.epoch = 0
        self._detector = detector
        self._client = client
        self._clock = clock
        self._rng = rng
        self._retry_cap_seconds = min(retry_cap_seconds, DETECTION_CAP_SECONDS)
        self._reraise_bugs = reraise_bugs
        self._kept_version = kept_version
        self._doubt = Doubt(clock)
        self._retrying = False
        self._needed = asyncio.Event()
        self._changed = asyncio.Condition()
        self._trouble: TargetError | None = None
        self._answered = False

    async def run(self) -> NoReturn:
        """Find out who the server is, at once and whenever that is needed; may be called again after it has ended."""
        failures = 0
        self._needed.set()
        while True:
            await self._needed.wait()
            self._needed.clear()
            try:
                identity = await catching_bugs(
                    self._detector.detect(), server=self.board.name, task="detection", reraise=self._reraise_bugs
                )
            except TargetRefused as error:
                await self._set_trouble(error)
            except TargetError as error:
                failures += 1
                await self._set_trouble(error)
                await self._clock.sleep(retry_delay(error, failures, self._rng, cap_seconds=self._retry_cap_seconds))
                self._needed.set()
            else:
                failures = 0
                if identity.generation is Generation.UNKNOWN:
                    await self._not_found(identity)
                else:
                    self._doubt.clear()
                    await self._found(identity)

    async def _not_found(self, identity: ServerIdentity) -> None:
        """Take what answers for no Stalwart, once that is confirmed or where it never was one; look again later."""
        known = self.board.identity
        confirmed = self._doubt.refused()
        if known is None or known.generation is Generation.UNKNOWN or confirmed:
            await self._found(identity)
        else:
            await self._set_trouble(TargetServerError(identity.note))
        await self._look_again_later(RECHECK_SECONDS if confirmed else self._doubt.wait_seconds())

    async def _look_again_later(self, seconds: float) -> None:
        asked = asyncio.ensure_future(self._needed.wait())
        later = asyncio.ensure_future(self._clock.sleep(seconds))
        await first_of(asked, later)
        self._needed.set()

    async def _found(self, identity: ServerIdentity) -> None:
        board = self.board
        known = board.identity
        if known is not None and identity.edition is Edition.UNKNOWN:
            identity = _with_edition(identity, known)
        if not identity.version:
            identity = replace(identity, version=self._kept_version(identity.generation))
        unchanged = self._answered and self._trouble is None and identity == known
        if unchanged and not self._retrying:
            return  # It was only suspected to be another one: no news for whoever waits.
        self._retrying = False
        board.identity = identity
        if identity.generation is not Generation.UNKNOWN:
            log.info(
                "server.detected",
                server=board.name,
                api=identity.generation.value,
                edition=identity.edition.value,
                version=identity.version,
                note=identity.note,
            )
            self.epoch += 1
            self._trouble, self._answered = None, True
            self._set_up(True)
        else:
            board.set_capability(Capability.QUEUE, CapabilityStatus.UNSUPPORTED)
            self._trouble = TargetServerError(identity.note or "not a known Stalwart management API")
            board.trouble = str(self._trouble)
            log.warning("server.detection_failed", server=board.name, error=board.trouble)
            self._set_up(False)
        board.asked = True
        board.touch(Part.IDENTITY)
        await self._wake()

    async def _set_trouble(self, error: TargetError) -> None:
        if self._trouble is None or str(self._trouble) != str(error):
            log.warning("server.lost", server=self.board.name, reason=error.reason, error=str(error))
        self._trouble = error
        self.board.trouble = str(error)
        self.board.refused = isinstance(error, TargetRefused)
        self.board.asked = True
        self._set_up(False)
        self.board.touch(Part.IDENTITY)
        await self._wake()

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _set_up(self, up: bool) -> None:
        if up:
            self.board.trouble, self.board.refused = "", False
        if self.board.up is not up:
            self.board.up = up
            self.board.touch(Part.IDENTITY)

    async def client(self) -> StalwartClient:
        """
        The client, once the server has been found.

        Waits for the first detection; after that raises the trouble that the server is in, without asking it again.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._answered or self._trouble is not None)
        if self._trouble is not None:
            raise self._trouble.with_traceback(None)
        return self._client

    def note(self, error: TargetError | None) -> None:
        """Hears how a request went; an outage starts detection anew."""
        if error is None or isinstance(error, TargetForbidden):
            self._set_up(True)
        elif isinstance(error, TargetRefused):
            self._trouble = error
            self.board.trouble = str(error)
            self.board.refused = True
            self._set_up(False)
        elif isinstance(error, DOWN):
            self.board.trouble = str(error)
            self._set_up(False)
            if isinstance(error, TargetUnreachable | TargetTLSError) and not getattr(error, "in_answer", False):
                self._trouble = error
                self._needed.set()

    def gone(self) -> None:
        """Hears that the server lacks what it had: perhaps it is another one now."""
        self._needed.set()

    async def retry(self) -> None:
        """An operator asked for another try: also with credentials that were refused."""
        self._retrying = True
        self._needed.set()
        await self._wake()

    async def wait_for_news(self, seconds: float) -> None:
        """Returns after *seconds*, or as soon as the server has been found again."""
        epoch = self.epoch
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        await first_of(sleeper, asyncio.ensure_future(self._news(epoch)))

    async def _news(self, epoch: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.epoch != epoch)


async def first_of(*tasks: asyncio.Future[Any]) -> None:
    """Waits until one of *tasks* ends, and ends the others."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _with_edition(identity: ServerIdentity, known: ServerIdentity) -> ServerIdentity:
    return replace(identity, edition=known.edition, version=identity.version or known.version)
