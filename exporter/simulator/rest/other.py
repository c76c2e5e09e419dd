"""The rest of `/api`: incoming reports, logs, principals, settings, OAuth, and GET requests with side effects."""

from __future__ import annotations

from typing import Literal

import msgspec

from exporter.simulator.common.parameters import Request
from exporter.simulator.common.responses import Answer, NotFound, data, management_error, problem, unsupported
from exporter.simulator.rest.queue import paged, require
from exporter.simulator.world import reports
from exporter.simulator.world.accounts.directory import LIST_PERMISSIONS
from exporter.simulator.world.accounts.zone import rest_records
from exporter.simulator.world.world import World

MAX_CLIENT_ID = 20

_HARMFUL = (("store", "purge"), ("store", "reindex"), ("reload",), ("update",), ("spam-filter", "train"))


def is_harmful(method: str, path: str) -> bool:
    """Return whether a request changes something although it looks like a read."""
    parts = tuple(path.split("/")[2:])
    if not path.startswith("/api/"):
        return False
    if method == "DELETE" and parts in (("queue", "messages"), ("queue", "reports")):
        return True
    if method == "GET" and parts != ("spam-filter", "train", "status"):
        return any(parts[: len(prefix)] == prefix for prefix in _HARMFUL)
    return method != "GET" and parts[:1] == ("settings",)


def harmful(request: Request) -> Answer:
    """Return the server's response to such a request."""
    permission = {"reload": "settings-reload", "update": "spam-filter-update", "spam-filter": "spam-filter-train"}
    require(request, permission.get(request.parts[0], "purge-all"))
    return data(None)


def incoming_reports(world: World, request: Request, parts: tuple[str, ...]) -> Answer:
    """Handle `/api/reports/{dmarc,tls,arf}`: ids, and single reports."""
    if not parts or parts[0] not in reports.KINDS:
        raise NotFound
    kind = parts[0]
    match request.method, parts[1:]:
        case "GET", ():
            require(request, "incoming-report-list")
            found = world.reports.newest_first(kind, world.now(), request.parameters.text("text"))
            domains = request.caller.tenant_domains
            ids = [
                stored.report_id
                for stored in found
                if domains is None or any(stored.body["to"][0].endswith(domain) for domain in domains)
            ]
            return data(paged(ids, request.parameters))
        case "GET", (report_id,):
            require(request, "incoming-report-get")
            stored = world.reports.get(kind, report_id, world.now())
            if stored is not None:
                return data(stored.body)
    raise NotFound


def logs(world: World, request: Request) -> Answer:
    """Handle `/api/logs`."""
    if request.method != "GET":
        raise NotFound
    require(request, "logs-view")
    if not world.profile.log_files:
        return unsupported("Tracer log path not configured")
    if world.profile.log_directory_missing:
        reason = "No such file or directory (os error 2)"
        return management_error("other", details="Failed to read log files", reason=reason)
    parameters = request.parameters
    page, limit = parameters.number("page"), parameters.number("limit", 100)
    return data(world.journal.log.read(parameters.text("filter"), page, limit))


def principals(world: World, request: Request, parts: tuple[str, ...]) -> Answer:
    """Handle `/api/principal`: lists and single principals."""
    if request.method != "GET" or len(parts) > 1:
        raise NotFound
    nested = world.profile.nested_queue
    if parts:
        account = world.directory.accounts.get(parts[0].lower())
        if account is None or not account.stored:
            return management_error("notFound", item=parts[0])
        require(request, f"{account.kind}-get")
        return data(world.directory.to_json(account, None, empty_domain_lists=nested))
    parameters = request.parameters
    asked = (parameters.text("types") or parameters.text("type")).split(",")
    kinds = frozenset(kind for kind in asked if kind in LIST_PERMISSIONS) or frozenset(LIST_PERMISSIONS)
    for kind in sorted(kinds):
        require(request, LIST_PERMISSIONS[kind])
    fields = frozenset(parameters.text("fields").split(",")) if parameters.flag("fields") else None
    found = list(world.directory.principals(kinds, parameters.text("filter").lower().split()))
    skip, limit = parameters.window()
    page = [] if parameters.flag("count") else found[skip : skip + limit] if limit else found[skip:]
    items = [world.directory.to_json(account, fields, empty_domain_lists=nested) for account in page]
    return data({"items": items, "total": len(found)})


def dns_records(world: World, request: Request, domain: str) -> Answer:
    """Handle `/api/dns/records/{domain}`; the domain need not exist."""
    if request.method != "GET":
        raise NotFound
    require(request, "domain-get")
    name = domain.lower()
    keys = world.inventory.public_keys(name, local=name == world.profile.local_domain)
    records = rest_records(name, world.profile.hostname, keys)
    return data([{"type": one.kind, "name": one.name, "content": one.content} for one in records])


def dkim_key(world: World, request: Request, signature: str) -> Answer:
    """Handle `/api/dkim/{algorithm}-{domain}`: the public key."""
    if request.method != "GET":
        raise NotFound
    require(request, "dkim-signature-get")
    algorithm, _, domain = signature.partition("-")
    for key in world.inventory.public_keys(domain, local=domain == world.profile.local_domain):
        if key.kind == algorithm:
            return data(key.key)
    raise NotFound


def settings(world: World, request: Request, parts: tuple[str, ...]) -> Answer:
    """Handle `/api/settings/keys`, some settings by name or prefix, and POST to `/api/settings`, which changes some."""
    if request.method == "POST" and not parts:
        return _change_settings(world, request)
    if request.method != "GET" or parts != ("keys",):
        raise NotFound
    require(request, "settings-list")
    known = {
        "report.domain": world.profile.local_domain,
        "server.hostname": world.profile.hostname,
        "metrics.prometheus.enable": str(world.profile.native_page).lower(),
    }
    keys = request.parameters.text("keys").split(",")
    prefixes = tuple(prefix for prefix in request.parameters.text("prefixes").split(",") if prefix)
    return data({k: v for k, v in known.items() if k in keys or (prefixes and k.startswith(prefixes))})


class _Change(msgspec.Struct):
    type: Literal["delete", "clear", "insert"]
    keys: list[str] = []
    values: list[tuple[str, str]] = []


_CHANGES = msgspec.json.Decoder(list[_Change])
BLOCKED, ALLOWED = "server.blocked-ip.", "server.allowed-ip."


def _change_settings(world: World, request: Request) -> Answer:
    """Change settings; only those of blocked and allowed addresses have an effect."""
    require(request, "settings-update")
    try:
        changes = _CHANGES.decode(request.body)
    except msgspec.DecodeError:
        return problem(400, "Invalid parameters", "Failed to deserialize JSON")
    for change in changes:
        if change.type == "delete":
            world.gate.banned.difference_update(key.removeprefix(BLOCKED) for key in change.keys)
        for key, _ in change.values if change.type == "insert" else ():
            if key.startswith(ALLOWED):
                world.inventory.allow(key.removeprefix(ALLOWED))
    return data(None)


class _OAuthRequest(msgspec.Struct):
    type: str
    client_id: str = ""
    redirect_uri: str | None = None


def oauth(world: World, request: Request) -> Answer:
    """Handle `POST /api/oauth`: return a code with version, edition and the caller's permissions."""
    if request.method != "POST":
        raise NotFound
    require(request, "authenticate-oauth")
    try:
        asked = msgspec.json.decode(request.body, type=_OAuthRequest)
    except msgspec.DecodeError as error:
        return problem(400, "Invalid parameters", str(error))
    if asked.type != "code":
        return data(False)
    insecure = asked.redirect_uri is not None and asked.redirect_uri.startswith("http://")
    if not asked.client_id or len(asked.client_id) > MAX_CLIENT_ID or insecure:
        return management_error("other", details="Invalid client or redirect URI", reason=None)
    answer = {
        "code": world.rng.randbytes(16).hex(),
        "permissions": request.caller.held(),
        "version": world.profile.version,
        "isEnterprise": world.profile.enterprise,
    }
    if not world.profile.has_queue_status:
        del answer["version"]
    return data(answer)
