"""The walk over a long queue holds no more in memory than over a short one."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.builders.jmap_queue import NOW, queue_of
from tests.support.replays.jmap import JmapServer, id_of, number_of
from tests.support.replays.jmap_client import FIRST_QUEUE_ID, message


@dataclass
class LongQueue(JmapServer):
    """A queue that is made up while it is asked for, so that only its reader can take up memory."""

    length: int = 0
    given: int = 0

    def methods(self, identity: str, request: Any) -> tuple[int, dict[str, str], bytes]:
        row = json.dumps(message(0, due=NOW) | {"id": "%s"})
        self.batches += 1
        ids: list[str] = []
        responses = []
        for name, arguments, id_ in request["methodCalls"]:
            if name.endswith("/query"):
                ids = self.ids(arguments)
                responses.append(json.dumps([name, {"ids": ids, "total": self.length}, id_]))
            else:
                self.given += len(ids)
                responses.append(f'["{name}", {{"list": [{",".join([row % id_ for id_ in ids])}]}}, "{id_}"]')
        return 200, {"content-type": "application/json"}, f'{{"methodResponses": [{",".join(responses)}]}}'.encode()

    def ids(self, arguments: Mapping[str, Any]) -> list[str]:
        assert arguments["limit"] <= 500
        start = arguments.get("position", 0)
        if "anchor" in arguments:
            start = number_of(arguments["anchor"]) - FIRST_QUEUE_ID + arguments["anchorOffset"]
        numbers = range(start, min(self.length, start + arguments["limit"]))
        return [id_of(FIRST_QUEUE_ID + number) for number in numbers]


def peak_bytes(length: int) -> tuple[int, LongQueue]:
    """The most memory that one poll of so many messages takes, the server's share included."""
    recorded = JmapServer.recorded()
    server = LongQueue(account=recorded.account, session=recorded.session, length=length)
    tracemalloc.start()
    try:
        assert queue_of(server).messages == length
        return tracemalloc.get_traced_memory()[1], server
    finally:
        tracemalloc.stop()


def test_a_long_queue_takes_no_more_memory_than_a_short_one():
    """100 000 messages in pages of 500, each got once, in few enough requests for a minute."""
    short, _ = peak_bytes(10_000)

    long, server = peak_bytes(100_000)

    assert long < 1.25 * short
    assert server.given == 100_000
    assert server.batches <= 27
