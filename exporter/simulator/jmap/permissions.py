"""Permissions in the JMAP generation, derived from those in the REST generation."""

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
    "domain-list": ("sysDomainQuery",),
    "domain-get": ("sysDomainGet",),
    "individual-list": _reading("Account"),
    "group-list": (),
    "mailing-list-list": (),
    "dkim-signature-get": _reading("DkimSignature"),
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
    *_reading("MailingList"),
    *("actionClassifySpam", "actionTroubleshootDmarc"),
    *("sysReportSettingsGet", "sysBlockedIpDestroy", "sysAllowedIpCreate", "sysTaskDestroy"),
)
_USER: Final = (
    *("emailReceive", "emailSend", "authenticateWithAlias", "interactAi"),
    *(f"jmap{kind}{verb}" for kind in ("Email", "Mailbox", "Thread", "Identity") for verb in ("Get", "Changes")),
)
EVERYTHING: Final = frozenset({name for names in _FROM_REST.values() for name in names} | {*_READERS, *_ADMIN})


def held(account: Account) -> frozenset[str]:
    """
    Return the permissions of an account by their JMAP names.

    Names of the REST generation are translated, JMAP names are kept. With `reads_everything`, an API key may also read
    what exists only in this generation.
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
    """Return whether an account holds a permission of this generation."""
    return permission in held(account)
