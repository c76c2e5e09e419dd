"""Method calls to one server, within its limits and without calls that are known to be forbidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from exporter.clock import Clock
from exporter.errors import TargetError, TargetForbidden, TargetUnsupported
from exporter.model.server import Edition
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.protocol.session import Account, JmapLimits, parse_account
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses, request_of

ENTERPRISE_OBJECTS = frozenset({"Metric", "Trace"})
"""Objects that need a licence; without one, calls fail as for a missing permission."""

ACCOUNT_SECONDS = 60.0
"""How long the list of permissions is trusted if it lacks one."""

RECHECK_SECONDS = 3600.0
"""The same if the permission is for something optional."""


class JmapApi:
    """
    The method calls of one server.

    Permissions are checked against the account's list, since each forbidden request raises a security counter of the
    server. While the list lacks a permission, the list is fetched again instead.

    Attributes:
        limits: The limits of one request.
        account: The key's permissions and the edition; ``None`` before they are fetched.
    """

    def __init__(self, transport: Transport, *, clock: Clock) -> None:
        self.limits = JmapLimits()
        self.account: Account | None = None
        self._transport = transport
        self._clock = clock
        self._account_at = 0.0
        self._account_refused = False
        self._served: set[str] = set()

    def may(self, kind: str, *verbs: str) -> bool:
        """Whether the key may call these methods, as far as is known."""
        calls = [Call("", f"x:{kind}/{verb}", {}) for verb in verbs]
        return self._problem_of(calls) is None

    async def require(self, permission: str, *, what: str) -> None:
        """Raise the known `TargetError` of a request for *what*, which needs *permission* and a licence."""
        await self._check(lambda: self._problem({permission}, {what}))

    async def allows(self, kind: str, *verbs: str) -> bool:
        """Like `may`, but fetch the list again if it forbids the calls and is an hour old. Raises a `TargetError`."""
        if self.may(kind, *verbs) or self._clock.monotonic() - self._account_at < RECHECK_SECONDS:
            return self.may(kind, *verbs)
        await self.fetch_account()
        return self.may(kind, *verbs)

    async def ask(self, calls: Sequence[Call]) -> MethodResponses:
        """Send a batch of at most ``limits.calls`` calls. Raises a `TargetError` if the whole batch fails."""
        await self._check(lambda: self._problem_of(calls))
        body = await self._transport.request(Endpoint.JMAP, body=request_of(calls))
        answers = MethodResponses(body, served=self._served)
        self._served.update(call.object for call in calls if not answers.failed(call))
        return answers

    async def fetch_account(self) -> Account:
        """Fetch the key's permissions again; none if it cannot log in."""
        try:
            self.account = parse_account(await self._transport.request(Endpoint.JMAP_ACCOUNT))
            self._account_refused = False
        except TargetForbidden:
            self.account = Account(frozenset(), Edition.UNKNOWN)
            self._account_refused = True
        self._account_at = self._clock.monotonic()
        return self.account

    def forget_served(self) -> None:
        """Forget which objects the server has served, since it may be a different one now."""
        self._served.clear()

    async def _check(self, find_problem: Callable[[], TargetError | None]) -> None:
        problem = find_problem()
        if problem is not None and self._clock.monotonic() - self._account_at >= ACCOUNT_SECONDS:
            await self.fetch_account()
            problem = find_problem()
        if problem is not None:
            raise problem

    def _problem_of(self, calls: Sequence[Call]) -> TargetError | None:
        """Return why one of *calls* would be refused, as far as is known."""
        licensed = {f"x:{call.object}" for call in calls if call.object in ENTERPRISE_OBJECTS}
        return self._problem({call.permission for call in calls}, licensed)

    def _problem(self, permissions: Set[str], licensed: Set[str]) -> TargetError | None:
        """Return why *permissions*, or the licence for *licensed*, are insufficient, as far as is known."""
        account = self.account
        if account is None:
            return None
        if account.in_bootstrap:
            return TargetUnsupported("the server is in bootstrap mode: it has not been set up", status="not_configured")
        if licensed and account.edition is Edition.COMMUNITY:
            return TargetUnsupported(
                f"{min(licensed)}: the server has no valid Enterprise licence", status="not_licensed"
            )
        missing = sorted(permissions - account.permissions)
        if missing and "authenticate" not in account.permissions:
            return TargetForbidden(
                "the key lacks the permission authenticate, without which it can do nothing",
                certain=not self._account_refused,
            )
        if missing:
            return TargetForbidden(f"the key lacks {' and '.join(missing)}")
        return None
