"""A name service that answers as told, and look-ups of it in virtual time."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from exporter.stalwart.http.resolver import Resolver

HOST = "mx1.example.test"
FIRST, SECOND = ["192.0.2.1", "2001:db8::1"], ["192.0.2.2"]
FAILING = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
DEADLINE_SECONDS = 10.0
Answer = Sequence[str] | OSError


class NameService:
    """
    What the system's resolver does, one answer per look-up; it hangs while `silent` is set.

    Attributes:
        asked: The names that have been looked up, in order.
        at_once: The most look-ups that were under way at one time.
    """

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[str] = []
        self.at_once = 0
        self._answers = list(answers)
        self._running = 0
        self._may_answer = threading.Event()
        self._may_answer.set()

    def fall_silent(self) -> None:
        """Leave every look-up from now on without an answer."""
        self._may_answer.clear()

    def answer_again(self) -> None:
        """Answer what waits, and whatever comes."""
        self._may_answer.set()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        self._may_answer.wait()
        self._running -= 1
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


@contextmanager
def name_service(*answers: Answer) -> Iterator[NameService]:
    """A name service that lets every thread go at the end."""
    names = NameService(*answers)
    try:
        yield names
    finally:
        names.answer_again()


async def asked(resolver: Resolver, host: str = HOST) -> Sequence[str] | OSError:
    """What *resolver* returns or raises; a look-up that can answer has done so before time passes."""
    asking = asyncio.ensure_future(resolver.addresses(host, timeout_seconds=DEADLINE_SECONDS))
    await asyncio.sleep(0)
    return await ended(asking)


async def ended(asking: asyncio.Future[Sequence[str]]) -> Sequence[str] | OSError:
    try:
        return await asking
    except OSError as error:
        return error


async def all_answered() -> None:
    """Wait for the look-ups under way, and have their answers taken in."""
    for thread in threading.enumerate():
        if thread.name.startswith("resolver-"):
            thread.join()
    await asyncio.sleep(0)


async def asked_and_answered(resolver: Resolver) -> Sequence[str] | OSError:
    """The same with a resolver that answers."""
    asking = asyncio.ensure_future(resolver.addresses(HOST, timeout_seconds=DEADLINE_SECONDS))
    await asyncio.sleep(0)
    await all_answered()
    return await ended(asking)


def now() -> float:
    return asyncio.get_running_loop().time()
