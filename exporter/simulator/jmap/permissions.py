"""What a login may do in the JMAP generation, told from what it may do in the REST generation."""

from __future__ import annotations

from typing import Final

from exporter.simulator.world.accounts.directory import Account


def _reading(*types: str) -> tuple[str, ...]:
    return tuple(f"sys{name}{verb}" for name in types for verb in ("Query", "Get"))


_FROM_REST: Final[dict[str, tuple[str, ...]]] = {
    "authenticate": ("authenticate",),
    "message-queue-list": ("sysQueuedMessageQuery",),
    "message-queue-get": ("sysQueuedMessageGet",),
    "message-queue-update": ("sysQueuedMessageUpdate",),
    "message-queue-delete": ("sysQueuedMessageDestroy",),
    "outgoing-report-list": ("sysDmarcInternalReportQuery", "sysTlsInternalReportQuery"),
    "outgoing-report-get": ("sysDmarcInternalReportGet", "sysTlsInternalReportGet"),
    "incoming-report-list": tuple(f"sys{kind}ExternalReportQuery" for kind in ("Dmarc", "Tls", "Arf")),
    "incoming-report-get": tuple(f"sys{kind}ExternalReportGet" for kind in ("Dmarc", "Tls", "Arf")),
    "logs-view": _reading("Log"),
    "metrics-list": _reading("Metric"),
    "metrics-live": ("liveMetrics",),
    "tracing-list": ("sysTraceQuery",),
    "tracing-get": ("sysTraceGet",),
    "tracing-live": ("liveTracing",),
    "troubleshoot": ("liveDeliveryTest",),
    "unlimited-requests": ("unlimitedRequests",),
}
# Nothing in the REST generation corresponds to these.
_READERS: Final = _reading(
    *("Account", "BlockedIp", "Certificate", "ClusterNode", "DkimSignature", "Domain"),
    *("MtaVirtualQueue", "SpamTrainingSample", "Task"),
)
_ADMIN: Final = (
    *("sysActionCreate", "actionPauseMtaQueue", "actionResumeMtaQueue", "actionReloadBlockedIps", "impersonate"),
    *("sysBlockedIpDestroy", "sysAllowedIpCreate", "sysTaskDestroy"),
)
_USER: Final = (
    *("emailReceive", "emailSend", "authenticateWithAlias", "interactAi"),
    *(f"jmap{kind}{verb}" for kind in ("Email", "Mailbox", "Thread", "Identity") for verb in ("Get", "Changes")),
)
EVERYTHING: Final = frozenset({name for names in _FROM_REST.values() for name in names} | {*_READERS, *_ADMIN})


def held(account: Account) -> frozenset[str]:
    """
    The permissions of an account by their names of this generation.

    Names of the REST generation are translated, names of this one count as they are. An API key that the REST
    generation's reader was given reads in this one also what the other did not have.
    """
    if account.permissions is None:
        return EVERYTHING
    names = {new for old in account.permissions for new in _FROM_REST.get(old, (old,))}
    if account.kind == "individual":
        names.update(_USER)
    elif account.reads_everything:
        names.update(_READERS)
    return frozenset(names)


def may(account: Account, permission: str) -> bool:
    """Whether an account holds a permission of this generation."""
    return permission in held(account)
