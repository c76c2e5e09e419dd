"""Accounts, API keys and domains: logins, permissions and local mailboxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.simulator.world.mail.failures import Reply

WATCHER_PERMISSIONS = frozenset(
    {
        "authenticate",
        "message-queue-list",
        "message-queue-get",
        "outgoing-report-list",
        "outgoing-report-get",
        "incoming-report-list",
        "incoming-report-get",
        "domain-list",
        "domain-get",
        "dkim-signature-get",
        "individual-list",
        "group-list",
        "mailing-list-list",
        "logs-view",
        "metrics-list",
        "metrics-live",
        "tracing-list",
        "tracing-get",
        "tracing-live",
        "troubleshoot",
    }
)
NARROW_PERMISSIONS = frozenset({"authenticate", "message-queue-list"})
ADMIN_ONLY = frozenset(
    {
        "authenticate-oauth",
        "message-queue-update",
        "message-queue-delete",
        "settings-list",
        "settings-reload",
        "unlimited-requests",
        "tenant-list",
        "role-list",
        "api-key-list",
        "oauth-client-list",
        "principal-list",
        "individual-get",
    }
)
LIST_PERMISSIONS = {
    "individual": "individual-list",
    "group": "group-list",
    "list": "mailing-list-list",
    "domain": "domain-list",
    "tenant": "tenant-list",
    "role": "role-list",
    "apiKey": "api-key-list",
    "oauthClient": "oauth-client-list",
    "resource": "principal-list",
    "location": "principal-list",
}


KNOWN_FIELDS = frozenset(
    {
        *("name", "secrets", "emails", "roles", "quota", "usedQuota", "members", "memberOf", "lists", "tenant"),
        *("description", "enabledPermissions", "disabledPermissions", "externalMembers", "urls", "picture"),
    }
)
"""Of a list of fields without one of these, the server returns all fields."""


def account_secrets(account: Account) -> list[str]:
    """Return the secrets of a principal: second factor, password, application passwords."""
    otp = [f"otpauth://totp/lab:{account.name}?secret=JBSWY3DPEHPK3PXP"] if account.second_factor else []
    password = [account.secret] if account.secret else []
    return [*otp, *password, *(f"$app${number}$lab-hash" for number in range(account.application_passwords))]


@dataclass(slots=True)
class Account:
    """
    One principal.

    Attributes:
        permissions: None holds every permission.
        tenant_domains: For a tenant's account: the domains it sees.
        trouble: The reply of local delivery to this mailbox, instead of storing.
        stored: False for the fallback administrator, who is not a principal.
        quota: In bytes; 0 without one.
        second_factor: Whether the password needs a one-time code.
        application_passwords: Their number.
        encryption: The type of encryption at rest, as JMAP names it.
        reads_everything: Whether, over JMAP, it also reads objects without REST equivalent: tasks, certificates,
            accounts.
    """

    account_id: int
    kind: str
    name: str
    secret: str = ""
    permissions: frozenset[str] | None = frozenset({"authenticate"})
    emails: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tenant_domains: tuple[str, ...] | None = None
    used_quota: int = 0
    documents: int = 0
    trouble: Reply | None = None
    stored: bool = True
    reads_everything: bool = False
    quota: int = 0
    second_factor: bool = False
    application_passwords: int = 0
    encryption: str = "Disabled"

    def may(self, permission: str) -> bool:
        """Return whether the account holds a permission."""
        return self.permissions is None or permission in self.permissions

    def held(self) -> list[str]:
        """Return its permissions by name, as `POST /api/oauth` lists them."""
        known = WATCHER_PERMISSIONS | ADMIN_ONLY
        return sorted(known if self.permissions is None else self.permissions)


def lab_accounts(domain: str) -> list[Account]:
    """Return the principals behind the recordings."""
    people = ("alice", "bob", "dmarc", "tls", "abuse", "postmaster")
    individuals = [
        Account(2 + number, "individual", name, f"{name}-lab-password", emails=(f"{name}@{domain}",), roles=("user",))
        for number, name in enumerate(people)
    ]
    return [
        Account(1, "domain", domain),
        *individuals,
        Account(8, "apiKey", "watcher", "lab-watcher-secret", WATCHER_PERMISSIONS, reads_everything=True),
        Account(9, "apiKey", "narrow", "lab-narrow-secret", NARROW_PERMISSIONS),
        Account(2**32 - 1, "individual", "admin", "lab-admin-secret", None, stored=False),
    ]


@dataclass(slots=True)
class Directory:
    """All principals by name; names are in lower case and unique over all kinds."""

    domain: str
    accounts: dict[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for account in lab_accounts(self.domain):
            self.accounts[account.name] = account

    def add_key(
        self, name: str, secret: str, permissions: frozenset[str] | None, tenant_domains: tuple[str, ...] | None = None
    ) -> Account:
        """Create or replace an API key."""
        account_id = max(a.account_id for a in self.accounts.values() if a.stored) + 1
        account = Account(account_id, "apiKey", name, secret, permissions, tenant_domains=tenant_domains)
        self.accounts[name] = account
        return account

    def add_person(self, name: str, *, kind: str = "individual", email: str = "", **members: Any) -> Account:
        """Create or replace an account, a group or a list; *members* are those of `Account`."""
        account_id = max(a.account_id for a in self.accounts.values() if a.stored) + 1
        address = email or f"{name}@{self.domain}"
        account = Account(account_id, kind, name, emails=(address,), **members)
        self.accounts[name] = account
        return account

    def rotate_secret(self, name: str, secret: str) -> None:
        """Replace an account's secret; the old one fails from now on."""
        self.accounts[name].secret = secret

    def grant(self, name: str, permissions: frozenset[str] | None) -> None:
        """Replace an account's permissions."""
        self.accounts[name] = replace(self.accounts[name], permissions=permissions, reads_everything=False)

    def log_in(self, name: str, secret: str) -> Account | None:
        """Return the account with this name and secret, or None."""
        account = self.accounts.get(name.strip().lower())
        return account if account is not None and account.secret and account.secret == secret else None

    def mailbox(self, address: str) -> Account | None:
        """Return the account that receives mail for an address."""
        wanted = address.lower()
        return next((a for a in self.accounts.values() if wanted in a.emails), None)

    def mailbox_trouble(self, address: str) -> Reply | None:
        """Return why local delivery to an address fails; None if it succeeds."""
        account = self.mailbox(address)
        if account is None:
            return Reply(550, "5.5.0", "Mailbox not found.")
        return account.trouble

    def store_mail(self, address: str, size: int) -> tuple[int, int]:
        """Store a message; return the account's id and the document's."""
        account = self.mailbox(address)
        if account is None:
            raise KeyError(address)
        account.used_quota += size
        account.documents += 1
        return account.account_id, account.documents

    def principals(self, kinds: frozenset[str], words: list[str]) -> Iterator[Account]:
        """Yield stored principals of some kinds whose name or addresses contain all words, by name."""
        for account in sorted(self.accounts.values(), key=lambda a: a.name):
            text = " ".join((account.name, *account.emails))
            if account.stored and account.kind in kinds and all(word in text for word in words):
                yield account

    def to_json(self, account: Account, fields: frozenset[str] | None, *, empty_domain_lists: bool) -> dict[str, Any]:
        """Return a principal as the API shows it, including the secret unless `fields` excludes it."""
        shown: dict[str, Any] = {"name": account.name}
        if account.kind == "domain":
            shown["members"] = sum(1 for a in self.accounts.values() if a.emails)
            if empty_domain_lists:
                shown |= {"secrets": [], "emails": []}
        secrets = account_secrets(account)
        if secrets:
            shown["secrets"] = secrets
        if account.emails:
            shown["emails"] = list(account.emails)
        if account.roles:
            shown["roles"] = list(account.roles)
        if account.quota:
            shown["quota"] = account.quota
        if account.used_quota:
            shown["usedQuota"] = account.used_quota
        if account.kind == "apiKey" and account.permissions is not None:
            shown["enabledPermissions"] = sorted(account.permissions)
        named = fields if fields is not None and not fields.isdisjoint(KNOWN_FIELDS) else None
        kept = {key: value for key, value in shown.items() if named is None or key in named}
        return {"id": account.account_id, "type": account.kind, **kept}
