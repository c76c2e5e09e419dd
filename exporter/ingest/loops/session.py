"""
The state of one server that its pollers share: its identity, and whether requests may be made now.

Detection runs first, and again after every outage, with a growing delay between attempts. After refused credentials no
request is made until an operator reloads.
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
"""Errors that set ``stalwart_up`` to 0: the management API does not answer, or refuses the credentials."""


class Session:
    """
    The state of one watched server.

    *kept_version* returns the saved version of a generation that does not disclose it.

    Attributes:
        epoch: Incremented each time the server is detected; capabilities must then be queried again.
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
        """Wait at most *retry_cap_seconds* between two attempts to detect an unreachable server."""
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
        """Detect the server now and whenever that is requested. Can be called again after it has ended."""
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
        """Accept that the server is not a Stalwart, once confirmed or if it never was one, and look again later."""
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
            return  # The server was only suspected to have changed: do not wake the waiting loops.
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
        Return the client, once the server has been detected.

        Waits for the first detection; after that raises the current error, if there is one, without making a request.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._answered or self._trouble is not None)
        if self._trouble is not None:
            raise self._trouble.with_traceback(None)
        return self._client

    @property
    def any_client(self) -> StalwartClient:
        """The client, whether or not the server has been detected."""
        return self._client

    def note(self, error: TargetError | None) -> None:
        """Record a request's outcome; a lost connection starts detection again."""
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
        """Request detection: the server lacks a feature that it had, so it may be a different server."""
        self._needed.set()

    async def retry(self) -> None:
        """Try again on an operator's request, even after refused credentials."""
        self._retrying = True
        self._needed.set()
        await self._wake()

    async def wait_for_news(self, seconds: float) -> None:
        """Return after *seconds*, or as soon as the server has been detected again."""
        epoch = self.epoch
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        await first_of(sleeper, asyncio.ensure_future(self._news(epoch)))

    async def _news(self, epoch: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.epoch != epoch)


async def first_of(*tasks: asyncio.Future[Any]) -> None:
    """Wait until one of *tasks* ends, then cancel the others."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _with_edition(identity: ServerIdentity, known: ServerIdentity) -> ServerIdentity:
    return replace(identity, edition=known.edition, version=identity.version or known.version)
