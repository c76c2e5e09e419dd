"""Authentication in the JMAP generation: accounts by password, and API keys that belong to an account."""

from __future__ import annotations

import base64
import binascii
import hashlib

from exporter.simulator.world.accounts.auth import Credentials, Gate, Refusal
from exporter.simulator.world.accounts.directory import Account, Directory
from exporter.simulator.world.ids import encode_id
from exporter.simulator.world.values import Keys

KEY_PREFIX = "API_"
_ID_BYTES, _SECRET_BYTES = 4, 20

# The account that owns all keys, named after the REST generation's key that became its first.
OWNER = "watcher"


def account_number(account: Account) -> int:
    """Return the number of the account behind a login; accounts have their own sequence; a key has its owner's."""
    if not account.stored:
        return account.account_id
    return _FIRST_KEY - 1 if account.kind == "apiKey" else account.account_id - 1


_FIRST_KEY = 8


def account_id(account: Account) -> str:
    """Return the id of the account behind a login."""
    return encode_id(account_number(account))


def full_name(account: Account, domain: str) -> str:
    """Return the login name with its domain."""
    if account.kind == "apiKey":
        return f"{OWNER}@{domain}"
    return account.emails[0] if account.emails else account.name


def credential_number(account: Account) -> int:
    """Return the number of an API key among the credentials of its owner; 0 is the owner's password."""
    return account.account_id - _FIRST_KEY + 1


def login_keys(account: Account, domain: str) -> Keys:
    """Return the keys of `auth.success` for a login over HTTP."""
    if account.kind != "apiKey":
        return {"accountName": full_name(account, domain), "accountId": account_number(account)}
    return {
        "accountName": account.name,
        "accountId": account_number(account),
        "id": credential_number(account),
        "details": "Authenticated with API key",
    }


def api_key(account: Account, secret: str | None = None) -> str:
    """Return the token of an API key, as sent after `Bearer`; with another `secret`, one that is refused."""
    digest = hashlib.sha256((secret or account.secret).encode()).digest()[:_SECRET_BYTES]
    numbers = (account_number(account), credential_number(account))
    raw = b"".join(number.to_bytes(_ID_BYTES, "big") for number in numbers) + digest
    return KEY_PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_holder(directory: Directory, token: str) -> Account | None:
    """Return the API key whose ids a token carries, regardless of its secret; None if there is none."""
    encoded = token.removeprefix(KEY_PREFIX)
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return None
    keys = (account for account in directory.accounts.values() if account.kind == "apiKey")
    return next((key for key in keys if raw[: 2 * _ID_BYTES] == _ids(key)), None)


def _ids(key: Account) -> bytes:
    return account_number(key).to_bytes(_ID_BYTES, "big") + credential_number(key).to_bytes(_ID_BYTES, "big")


def log_in(gate: Gate, directory: Directory, credentials: Credentials, ip: str) -> Account | Refusal:
    """
    Authenticate one request.

    Wrong passwords and wrong `API_` keys count towards a ban; a missing header, keys of v0.15 and unreadable
    credentials do not. A user name without a domain belongs to the default domain.
    """
    if credentials.scheme == "jmap-key":
        holder = key_holder(directory, credentials.secret)
        name = holder.name if holder is not None else credentials.name
        right = holder is not None and credentials.secret == api_key(holder)
        return gate.admit(credentials, holder if right else None, ip, name)
    if credentials.scheme != "basic":
        return gate.admit_unreadable(credentials, ip)
    name = credentials.name.removesuffix(f"@{directory.domain}")
    known = directory.log_in(name, credentials.secret)
    if known is not None and known.kind == "apiKey" and known.name != OWNER:
        known = None
    return gate.admit(credentials, known, ip, name)
