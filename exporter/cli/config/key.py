"""
``stalwart-exporter key``: a script that creates a key that can read what is exported, and change nothing.

Contract: ``POST /api/principal`` up to v0.15; ``x:Role/set``, ``x:Account/set`` and ``x:ApiKey/set`` from v0.16 on.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence

from exporter.stalwart.common.probe import LOG_IN
from exporter.stalwart.http.allowlist import SETTINGS_LISTS, SETTINGS_SINGLETONS, Endpoint
from exporter.stalwart.jmap.probe import PERMISSIONS

SHOWS_PASSWORDS = "individual-list"
"""Up to v0.15, the list of accounts contains their password hashes."""

ISSUES_CODES = "authenticate-oauth"
"""Asked for by `ask_version` only; it allows issuing login codes."""

OPTIONAL = ("sysMailingListQuery", "sysReportSettingsGet")
"""From v0.16 on: what completes a capability that works without."""


def rest_permissions(*, with_accounts: bool) -> Sequence[str]:
    """Return the permissions of a key up to v0.15, by which the exporter's requests succeed."""
    asked = {spec.permission for spec in (endpoint.value for endpoint in Endpoint) if "-" in spec.permission}
    left_out = {ISSUES_CODES} if with_accounts else {ISSUES_CODES, SHOWS_PASSWORDS}
    return [LOG_IN, *sorted(asked - left_out)]


def jmap_permissions(*, with_settings: bool) -> Sequence[str]:
    """Return the permissions of a key from v0.16 on; those of settings also disclose tokens in URLs and headers."""
    asked = {name for names in PERMISSIONS.values() for name in names} | set(OPTIONAL)
    return [LOG_IN, *sorted(asked | set(_settings()) if with_settings else asked)]


def _settings() -> Iterator[str]:
    for kinds in SETTINGS_SINGLETONS.values():
        yield from (f"sys{kind}Get" for kind in kinds)
    for kinds in SETTINGS_LISTS.values():
        yield from (f"sys{kind}{verb}" for kind in kinds for verb in ("Get", "Query"))


def print_script(generation: str, *, url: str, name: str, admin: str, accounts: bool, settings: bool) -> int:
    """Print the script for one generation; return the exit status."""
    if generation == "rest":
        script = _rest_script(url, name, admin, rest_permissions(with_accounts=accounts))
    else:
        script = _jmap_script(url, name, admin, jmap_permissions(with_settings=settings))
    sys.stdout.write(script)
    return 0


def _header(url: str, name: str, admin: str, needs: str) -> str:
    return f"""\
#!/bin/sh
# Creates the key "{name}" for the exporter and writes its secret to "{name}.secret". Read it, then run it with sh.
# Needs {needs}. curl asks for the administrator's password.
set -eu
umask 077
[ ! -s {name}.secret ] || {{ echo "{name}.secret exists: it may be in use" >&2; exit 1; }}
SERVER={shlex.quote(url)}
ADMIN={shlex.quote(admin)}
"""


def _rest_script(url: str, name: str, admin: str, permissions: Sequence[str]) -> str:
    body = {
        "type": "apiKey",
        "name": name,
        "description": "Prometheus exporter, reads only",
        "secrets": ["$HASH"],
        "roles": [],
        "enabledPermissions": permissions,
    }
    shown = json.dumps(body, indent=1)
    return f"""\
{_header(url, name, admin, "curl and openssl")}openssl rand -hex 24 > {name}.secret
HASH=$(openssl passwd -6 -stdin < {name}.secret)
ANSWER=$(curl -sS --user "$ADMIN" -H 'Content-Type: application/json' --data @- "$SERVER/api/principal" <<END
{shown}
END
)
case $ANSWER in
    '{{"data":'*) ;;
    *) echo "not created: $ANSWER" >&2; rm {name}.secret; exit 1 ;;
esac
echo "created: username = \\"{name}\\", password_file = \\"$PWD/{name}.secret\\""
"""


def _jmap_script(url: str, name: str, admin: str, permissions: Sequence[str]) -> str:
    granted = json.dumps(dict.fromkeys(permissions, True), indent=1)
    return f"""\
{_header(url, name, admin, "curl and jq")}printf 'password of %s: ' "$ADMIN" >&2; [ ! -t 0 ] || stty -echo
read -r PASSWORD; [ ! -t 0 ] || stty echo; echo >&2
ask() {{
    # The login goes through a file descriptor, since other users can see arguments.
    ANSWER=$(printf 'user = "%s:%s"\\n' "$ADMIN" "$(printf %s "$PASSWORD" | sed 's/[\\\\"]/\\\\&/g')" |
        curl -sS --config - -H 'Content-Type: application/json' --data "$1" "$SERVER/jmap/")
    printf %s "$ANSWER" | jq -er "$2" || {{ echo "not created: $ANSWER" >&2; exit 1; }}
}}
request() {{
    jq -nc --arg method "$1" --argjson arguments "$2" \\
        '{{using: ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"], methodCalls: [[$method, $arguments, "c"]]}}'
}}
PERMISSIONS='{granted}'
DOMAIN=$(ask "$(request x:Domain/query '{{}}')" '.methodResponses[0][1].ids[0]')
ROLE=$(ask "$(request x:Role/set "$(jq -nc --argjson permissions "$PERMISSIONS" \\
    '{{create: {{k: {{description: "{name}", enabledPermissions: $permissions}}}}}}')")" \\
    '.methodResponses[0][1].created.k.id')
ACCOUNT=$(ask "$(request x:Account/set "$(jq -nc --arg role "$ROLE" --arg domain "$DOMAIN" \\
    '{{create: {{k: {{"@type": "User", name: "{name}", domainId: $domain,
        roles: {{"@type": "Custom", roleIds: {{($role): true}}}}}}}}}}')")" \\
    '.methodResponses[0][1].created.k.id')
ask "$(request x:ApiKey/set "$(jq -nc --arg account "$ACCOUNT" \\
    '{{accountId: $account, create: {{k: {{description: "{name}", permissions: {{"@type": "Inherit"}}}}}}}}')")" \\
    '.methodResponses[0][1].created.k.secret' > {name}.secret
echo "created: token_file = \\"$PWD/{name}.secret\\""
"""
