"""The control port, for other programs: POST JSON to change the server, GET to inspect it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict
from typing import Any, Protocol

import msgspec

from exporter.simulator.common import responses as answers
from exporter.simulator.common.responses import Answer
from exporter.simulator.harness.front import Front
from exporter.simulator.harness.listener import Listener
from exporter.simulator.harness.poster import Poster
from exporter.simulator.world.accounts.api_keys import api_key
from exporter.simulator.world.mail.failures import Reply
from exporter.simulator.world.mail.limits import Limit
from exporter.simulator.world.reports import DmarcRow, TlsPolicy
from exporter.simulator.world.world import World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Arguments = dict[str, Any]


class Controlled(Protocol):
    """The simulated server, as the control port sees it."""

    world: World
    front: Front
    listener: Listener

    def hang(self) -> None:
        """Leave requests unanswered."""

    def resume(self) -> None:
        """Answer requests again."""

    poster: Poster

    def add_webhook(self, name: str, **settings: Any) -> None:
        """Add a webhook."""

    async def restart(self) -> None:
        """Restart the server."""

    async def shut_down(self) -> None:
        """Restart the server after an orderly end."""

    async def upgrade(self, version: str | None = None, **changes: Any) -> None:
        """Restart it as another release, or with other features."""


class Control:
    """
    The ASGI application of the control port.

    GET a name in `looks`, or POST a JSON object to a name in `acts`; the response is `{"data": …}`, or a 400 with the
    reason. Five acts need the event loop: restart, shut-down, upgrade, stop-listening, start-listening.
    """

    def __init__(self, simulator: Controlled) -> None:
        self._simulator = simulator
        self.looks: dict[str, Callable[[], Any]] = {
            "ledger": self._ledger,
            "requests": self._requests,
            "queue": self._queue,
            "webhooks": lambda: self._simulator.world.webhooks.to_json(),
            "keys": self._keys,
        }
        self.acts: dict[str, Callable[[Arguments], Any]] = {
            "fault": lambda a: self._simulator.front.faults.add(**a),
            "clear-faults": lambda a: self._simulator.front.faults.clear(),
            "submit": self._submit,
            "receive": self._receive,
            "destination": self._destination,
            "limit": self._limit,
            "login": lambda a: self._simulator.world.log_in(**a),
            "advance": lambda a: self._simulator.world.advance(float(a["seconds"])),
            "tick": lambda a: self._simulator.world.tick(),
            "rotate-logs": lambda a: self._simulator.world.rotate_logs(),
            "end-streams": lambda a: self._simulator.front.api.live.end(a.get("ending", "end")),
            "hang": lambda a: self._simulator.hang(),
            "resume": lambda a: self._simulator.resume(),
            "pause-queue": lambda a: self._simulator.world.pause_queue(),
            "resume-queue": lambda a: self._simulator.world.resume_queue(),
            "rotate-secret": lambda a: self._simulator.world.directory.rotate_secret(a["name"], a["secret"]),
            "permissions": self._permissions,
            "event": lambda a: self._simulator.world.raise_event(**a),
            "set-clock": lambda a: self._simulator.world.set_clock(float(a["seconds"])),
            "lift-ban": lambda a: self._simulator.world.gate.lift(a["ip"]),
            "synthetic-queue": lambda a: self._simulator.world.synthetic_queue(int(a["count"])).count,
            "dmarc-report": self._dmarc_report,
            "tls-report": self._tls_report,
            "arf-report": lambda a: self._simulator.world.receive_arf(**a).report_id,
            "task": lambda a: self._simulator.world.inventory.add_task(**a).number,
            "certificate": lambda a: self._simulator.world.inventory.add_certificate(tuple(a.pop("names")), **a).number,
            "signature": lambda a: self._simulator.world.inventory.add_signature(**a).number,
            "block": lambda a: self._simulator.world.inventory.block(**a).number,
            "account": lambda a: self._simulator.world.directory.add_person(**a).account_id,
            "node": lambda a: self._simulator.world.inventory.add_node(**a).node_id,
            "sample": lambda a: self._simulator.world.inventory.add_sample(**a).number,
            "webhook": lambda a: self._simulator.add_webhook(**a),
            "webhook-events": lambda a: self._simulator.world.webhooks.change(a["name"], a["events"]),
            "lose-answers": lambda a: self._simulator.poster.lost_answers.update({a["name"]: int(a["times"])}),
            "hang-up": lambda a: self._simulator.poster.hung_up.update({a["name"]: int(a["times"])}),
            "broken-report": lambda a: self._simulator.world.receive_broken_dmarc(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        answer = await self._answer(scope["method"], scope["path"].strip("/"), body)
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, method: str, name: str, body: bytes) -> Answer:
        try:
            if method == "GET" and name in self.looks:
                return answers.data(self.looks[name]())
            if method == "POST":
                arguments = msgspec.json.decode(body or b"{}", type=Arguments)
                return answers.data(await self._act(name, arguments))
        except (ValueError, TypeError, LookupError, msgspec.DecodeError) as error:
            return answers.problem(400, "Cannot be done", f"{type(error).__name__}: {error}")
        return answers.not_found()

    async def _act(self, name: str, arguments: Arguments) -> Any:
        if name == "restart":
            return await self._simulator.restart()
        if name == "shut-down":
            return await self._simulator.shut_down()
        if name == "upgrade":
            return await self._simulator.upgrade(**arguments)
        if name == "stop-listening":
            return await self._simulator.listener.close()
        if name == "start-listening":
            return await self._simulator.listener.open()
        return self.acts[name](arguments)

    def _ledger(self) -> Any:
        world = self._simulator.world
        return {
            **world.ledger.to_json(),
            "queue": {"messages": world.queue_size(), "recipients": world.queue.recipients_by_status()},
            "running": world.running,
            "time": world.now(),
        }

    def _requests(self) -> Any:
        return [asdict(request) for request in self._simulator.front.requests]

    def _keys(self) -> Any:
        accounts = self._simulator.world.directory.accounts.values()
        return {account.name: api_key(account) for account in accounts if account.kind == "apiKey"}

    def _queue(self) -> Any:
        queue = self._simulator.world.queue
        return {"messages": len(queue.messages), "recipients": queue.recipients_by_status()}

    def _submit(self, arguments: Arguments) -> Any:
        times = int(arguments.pop("times", 1))
        made = [self._simulator.world.submit(**arguments).queue_id for _ in range(times)]
        self._simulator.world.tick()
        return made

    def _receive(self, arguments: Arguments) -> Any:
        message = self._simulator.world.receive(**arguments)
        self._simulator.world.tick()
        return message.queue_id if message is not None else None

    def _destination(self, arguments: Arguments) -> Any:
        if arguments.get("reply") is not None:
            arguments["reply"] = _reply(arguments["reply"])
        if "replies" in arguments:
            arguments["replies"] = {local: _reply(said) for local, said in arguments["replies"].items()}
        self._simulator.world.set_destination(**arguments)

    def _limit(self, arguments: Arguments) -> Any:
        limits = self._simulator.world.limits
        {"outbound": limits.outbound, "inbound": limits.inbound}[arguments.pop("direction")].append(Limit(**arguments))

    def _permissions(self, arguments: Arguments) -> Any:
        permissions = arguments["permissions"]
        granted = frozenset(permissions) if permissions is not None else None
        self._simulator.world.directory.grant(arguments["name"], granted)

    def _dmarc_report(self, arguments: Arguments) -> Any:
        arguments["rows"] = [DmarcRow(**row) for row in arguments["rows"]]
        return self._simulator.world.receive_dmarc(**arguments).report_id

    def _tls_report(self, arguments: Arguments) -> Any:
        arguments["policies"] = [
            TlsPolicy(**{**policy, "failures": tuple(map(tuple, policy.get("failures", ())))})
            for policy in arguments["policies"]
        ]
        return self._simulator.world.receive_tls(**arguments).report_id


def _reply(said: Arguments) -> Reply:
    return Reply(int(said["code"]), said["enhanced"], said["message"])
