"""Users, groups and mailing lists."""

from __future__ import annotations

from collections.abc import Callable

from exporter.simulator.jmap.objects.inventory import DOMAIN_NUMBER, domain_numbers
from exporter.simulator.jmap.permissions import held
from exporter.simulator.jmap.query import Entry
from exporter.simulator.jmap.wire import Json, as_list, as_set
from exporter.simulator.world.accounts.api_keys import OWNER, account_number, credential_number
from exporter.simulator.world.accounts.directory import Account
from exporter.simulator.world.ids import encode_id
from exporter.simulator.world.values import rfc3339
from exporter.simulator.world.world import World


def accounts(world: World) -> list[Entry]:
    """Return the users and groups; the API keys belong to one of the users."""
    stored = [account for account in world.directory.accounts.values() if account.stored]
    keys = sorted((account for account in stored if account.kind == "apiKey"), key=credential_number)
    numbers = domain_numbers(world)
    rows = [_user(world, account, [], numbers) for account in stored if account.kind == "individual"]
    rows += [_group(world, account, numbers) for account in stored if account.kind == "group"]
    owner = world.directory.accounts.get(OWNER)
    if owner is not None:
        rows.append(_user(world, owner, keys, numbers))
    return sorted(rows, key=lambda entry: entry.number)


def mailing_lists(world: World) -> list[Entry]:
    """Return the mailing lists."""
    numbers = domain_numbers(world)
    stored = [account for account in world.directory.accounts.values() if account.kind == "list"]
    return sorted((_list(world, account, numbers) for account in stored), key=lambda entry: entry.number)


def _user(world: World, account: Account, keys: list[Account], numbers: dict[str, int]) -> Entry:
    def show() -> Json:
        created = rfc3339(world.inventory.set_up)
        more = [_app_password(number, created) for number in range(account.application_passwords)]
        return {
            **_common(world, account, numbers),
            "credentials": as_list([*_passwords(account), *more, *(_key(key, created) for key in keys)]),
            "memberGroupIds": {},
            "roles": {"@type": "Admin" if keys else "User"},
            "encryptionAtRest": {"@type": account.encryption},
            "@type": "User",
        }

    return _entry(world, account, numbers, "User", show)


def _group(world: World, account: Account, numbers: dict[str, int]) -> Entry:
    def show() -> Json:
        return {**_common(world, account, numbers), "roles": {"@type": "Default"}, "@type": "Group"}

    return _entry(world, account, numbers, "Group", show)


def _list(world: World, account: Account, numbers: dict[str, int]) -> Entry:
    def show() -> Json:
        common = _common(world, account, numbers)
        kept = ("name", "domainId", "description", "aliases", "memberTenantId", "emailAddress")
        return {**{name: common[name] for name in kept}, "recipients": {}}

    return _entry(world, account, numbers, None, show)


def _common(world: World, account: Account, numbers: dict[str, int]) -> Json:
    address = _address(world, account)
    return {
        "name": account.name,
        "domainId": encode_id(_domain_number(address, numbers)),
        "createdAt": rfc3339(world.inventory.set_up),
        "memberTenantId": None,
        "permissions": {"@type": "Inherit"},
        "quotas": {"maxDiskQuota": account.quota} if account.quota else {},
        "aliases": {},
        "description": None,
        "locale": "en_US",
        "timeZone": None,
        "usedDiskQuota": account.used_quota,
        "emailAddress": address,
    }


def _address(world: World, account: Account) -> str:
    return account.emails[0] if account.emails else f"{account.name}@{world.profile.local_domain}"


def _domain_number(address: str, numbers: dict[str, int]) -> int:
    return numbers.get(address.rpartition("@")[2], DOMAIN_NUMBER)


def _entry(
    world: World, account: Account, numbers: dict[str, int], kind: str | None, show: Callable[[], Json]
) -> Entry:
    address = _address(world, account)
    fields = {
        "@type": kind,
        "name": account.name,
        "domainId": _domain_number(address, numbers),
        "text": address,
        "memberGroupIds": (),
        "memberTenantId": None,
    }
    return Entry(account_number(account), fields, show)


def _passwords(account: Account) -> list[Json]:
    """Return the password, if it has one."""
    if not account.secret and account.name != OWNER:
        return []
    password: Json = {"credentialId": "a", "secret": "****", "expiresAt": None, "allowedIps": {}, "@type": "Password"}
    return [{**password, "otpAuth": "****"} if account.second_factor else password]


def _app_password(number: int, created: str) -> Json:
    return {
        "credentialId": encode_id(1000 + number),
        "description": "phone",
        "secret": "****",
        "createdAt": created,
        "expiresAt": None,
        "permissions": {"@type": "Inherit"},
        "allowedIps": {},
        "@type": "AppPassword",
    }


def _key(key: Account, created: str) -> Json:
    return {
        "credentialId": encode_id(credential_number(key)),
        "description": key.name,
        "secret": "****",
        "createdAt": created,
        "expiresAt": None,
        "permissions": {"permissions": as_set(sorted(held(key))), "@type": "Replace"},
        "allowedIps": {},
        "@type": "ApiKey",
    }
