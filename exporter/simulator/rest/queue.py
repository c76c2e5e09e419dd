"""`/api/queue`: messages, state of the queue, and outgoing reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.simulator.common.parameters import Parameters, Request
from exporter.simulator.common.responses import Answer, Forbidden, NotFound, data, encode
from exporter.simulator.rest.queue_json import message_to_json
from exporter.simulator.world.mail.operations import Choice, everybody
from exporter.simulator.world.mail.queue import Message
from exporter.simulator.world.world import World

MAX_QUEUE_NAME = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """The messages of a list: numbers of synthetic ones, then real ones, all ascending by id."""

    synthetic: Sequence[int]
    real: Sequence[Message]

    @property
    def total(self) -> int:
        """The number of messages."""
        return len(self.synthetic) + len(self.real)

    def slice(self, start: int, end: int) -> Selection:
        """Return the part from `start` up to, not including, `end`."""
        split = len(self.synthetic)
        return Selection(self.synthetic[start:end], self.real[max(start - split, 0) : max(end - split, 0)])


def require(request: Request, permission: str) -> None:
    """Raise unless the caller holds a permission."""
    if not request.caller.may(permission):
        raise Forbidden(permission)


def answer(world: World, request: Request, parts: tuple[str, ...]) -> Answer:
    """Answer a request below `/api/queue`."""
    match request.method, parts:
        case "GET", ("messages",):
            require(request, "message-queue-list")
            return _list(world, request)
        case "GET", ("messages", queue_id):
            require(request, "message-queue-get")
            return _one(world, request, queue_id)
        case "PATCH", ("messages", queue_id):
            require(request, "message-queue-update")
            at = _future(request.parameters.moment("at"), world.now())
            chosen = _chosen(request.parameters.text("filter"), by_domain=world.profile.nested_queue)
            return data(world.operations.retry(_known(world, queue_id), chosen or everybody, at or world.now()))
        case "DELETE", ("messages", queue_id):
            require(request, "message-queue-delete")
            chosen = _chosen(request.parameters.text("filter"))
            return data(world.operations.cancel(_known(world, queue_id), chosen))
        case ("PATCH" | "DELETE") as method, ("messages",) if world.profile.has_queue_status:
            require(request, "message-queue-update" if method == "PATCH" else "message-queue-delete")
            return _bulk(world, request)
        case "GET", ("status",) if world.profile.has_queue_status:
            require(request, "message-queue-get")
            return data(world.running)
        case "PATCH", ("status", word) if world.profile.has_queue_status:
            require(request, "message-queue-update")
            return data(world.pause_queue() if word == "stop" else world.resume_queue())
        case "GET", ("reports",):
            require(request, "outgoing-report-list")
            return _reports(world, request.parameters)
        case "GET", ("reports", report_id):
            require(request, "outgoing-report-get")
            return _report(world, report_id)
    raise NotFound


def _chosen(part: str, *, by_domain: bool = False) -> Choice | None:
    """Return which recipients a `filter` means; None without one."""
    if not part:
        return None
    return lambda recipient: part in (recipient.domain if by_domain else recipient.address)


def _known(world: World, queue_id: str) -> int:
    if not queue_id.isdigit() or int(queue_id) not in world.queue.messages:
        raise NotFound
    return int(queue_id)


def _one(world: World, request: Request, queue_id: str) -> Answer:
    if not queue_id.isdigit():
        raise NotFound
    nested, number = world.profile.nested_queue, int(queue_id)
    message = world.queue.messages.get(number)
    if message is not None and _sees(request, message):
        return data(message_to_json(message, world.now(), nested=nested))
    place = world.synthetic.number_of(number) if world.synthetic is not None else None
    if world.synthetic is None or place is None:
        raise NotFound
    return Answer(200, b'{"data":' + world.synthetic.one(place, world.now(), nested=nested) + b"}")


def _list(world: World, request: Request) -> Answer:
    parameters = request.parameters
    visited = _visited(world, request, parameters)
    skip, limit = parameters.window()
    page = visited.slice(skip, skip + limit if limit else visited.total)
    items = _values(world, page) if parameters.flag("values") else _ids(world, page)
    status = b""
    if world.profile.has_queue_status:
        status = b',"status":' + (b"true" if world.running else b"false")
    return Answer(200, b'{"data":{"items":[%b],"total":%d%b}}' % (items, visited.total, status))


def _visited(world: World, request: Request, parameters: Parameters) -> Selection:
    """Return all matches, up to `max-total`."""
    found = Selection(_synthetic(world, parameters), _real(world, request, parameters))
    most = parameters.number("max-total")
    return found.slice(0, most) if most else found


def _bounds(parameters: Parameters) -> tuple[int, int]:
    end = parameters.optional_number("range-end")
    return parameters.number("range-start"), end if end is not None else 2**64


def _synthetic(world: World, parameters: Parameters) -> Sequence[int]:
    queue = world.synthetic
    if queue is None:
        return ()
    first, last = _bounds(parameters)
    numbers = range(queue.number_from(first), queue.number_from(last + 1))
    text, sender, recipient = (parameters.text(name) for name in ("text", "from", "to"))
    name = _queue_name(world, parameters)
    if not (text or sender or recipient or name):
        return numbers
    return [number for number in queue.matching(text, sender, recipient, name) if number in numbers]


def _queue_name(world: World, parameters: Parameters) -> str:
    name = parameters.text("queue")
    return "" if world.profile.nested_queue or len(name.encode()) > MAX_QUEUE_NAME else name


def _real(world: World, request: Request, parameters: Parameters) -> list[Message]:
    first, last = _bounds(parameters)
    text, sender, recipient = (parameters.text(name) for name in ("text", "from", "to"))
    if text:
        sender = recipient = ""
    name, now = _queue_name(world, parameters), world.now()
    before, after = (_future(parameters.moment(side), now) for side in ("before", "after"))

    def fits(message: Message) -> bool:
        addresses = [r.address for r in message.recipients]
        due = message.next_delivery(name or None) or 0.0
        return (
            first <= message.queue_id <= last
            and (not text or text in message.return_path or any(text in a for a in addresses))
            and sender in message.return_path
            and (not recipient or any(recipient in a for a in addresses))
            and (not name or any(r.queue == name for r in message.recipients))
            and (before is None or due < before)
            and (after is None or due > after)
            and _sees(request, message)
        )

    return [message for message in world.queue.ordered() if fits(message)]


def _future(moment: float | None, now: float) -> float | None:
    return moment if moment is not None and moment >= now else None


def _sees(request: Request, message: Message) -> bool:
    domains = request.caller.tenant_domains
    if domains is None:
        return True
    addresses = [message.return_path, *(r.address for r in message.recipients)]
    return any(address.endswith(f"@{domain}") for address in addresses for domain in domains)


def _ids(world: World, page: Selection) -> bytes:
    ids = [world.synthetic.id_at(number) for number in page.synthetic] if world.synthetic is not None else []
    ids += [message.queue_id for message in page.real]
    return ",".join(map(str, ids)).encode()


def _values(world: World, page: Selection) -> bytes:
    now, nested = world.now(), world.profile.nested_queue
    parts = []
    if world.synthetic is not None and page.synthetic:
        if isinstance(page.synthetic, range):
            parts.append(world.synthetic.page(page.synthetic.start, page.synthetic.stop, now, nested=nested))
        else:
            parts += [world.synthetic.one(number, now, nested=nested) for number in page.synthetic]
    if page.real:
        parts.append(encode([message_to_json(message, now, nested=nested) for message in page.real])[1:-1])
    return b",".join(parts)


def _bulk(world: World, request: Request) -> Answer:
    parameters = request.parameters
    if parameters.flag("values"):
        return data(False)
    ids = [message.queue_id for message in _visited(world, request, parameters).real]
    if request.method == "DELETE":
        return data(world.operations.bulk_cancel(ids))
    at = _future(parameters.moment("at"), world.now()) or world.now()
    return data(any([world.operations.retry(queue_id, everybody, at) for queue_id in ids]))


def _reports(world: World, parameters: Parameters) -> Answer:
    domain, kind = parameters.text("domain").lower(), parameters.text("type")
    first, last = _bounds(parameters)
    ids = [
        report.report_id
        for report in world.outgoing.ascending()
        if domain in report.domain
        and (kind not in ("dmarc", "tls") or report.kind == kind)
        and first <= report.due <= last
    ]
    return data(paged(ids, parameters))


def paged(ids: list[str], parameters: Parameters) -> dict[str, object]:
    """Return one page of a list of ids, with the total up to `max-total`."""
    most = parameters.number("max-total")
    visited = ids[:most] if most else ids
    skip, limit = parameters.window()
    return {"items": visited[skip : skip + limit] if limit else visited[skip:], "total": len(visited)}


def _report(world: World, report_id: str) -> Answer:
    for report in world.outgoing.ascending():
        if report.report_id == report_id:
            capitalised = world.profile.release < (0, 11)
            return data(report.to_json(world.profile.local_domain, capitalised=capitalised))
    raise NotFound
