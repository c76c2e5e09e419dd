"""The webhook settings of both generations, with the commands that put them to work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model.server import Generation
from exporter.stalwart.webhooks.subscription import subscription

THROTTLE_SECONDS = 2
"""One post every two seconds: fewer posts, and more time before a slow answer holds events back."""

CHANGES = (
    "# A reload applies a changed event list, but no changed url, key or throttle: use another --name and remove the",
    "# old webhook, or restart the server.",
)


@dataclass(frozen=True, slots=True)
class Hook:
    """
    One webhook.

    Attributes:
        name: Its id in the server.
        url: Of the exporter's receiver, as the server reaches it.
        server: URL of the server.
    """

    name: str
    url: str
    key: str
    server: str


def rest_lines(hook: Hook) -> Sequence[str]:
    """Return the settings for servers up to v0.15: a request for the management API, and the same for the file."""
    events = subscription(Generation.REST)
    values = [
        [f"webhook.{hook.name}.url", hook.url],
        [f"webhook.{hook.name}.signature-key", hook.key],
        [f"webhook.{hook.name}.throttle", f"{THROTTLE_SECONDS}s"],
        *([f"webhook.{hook.name}.events.{number}", event] for number, event in enumerate(events)),
    ]
    body = json.dumps([{"type": "insert", "prefix": None, "values": values, "assert_empty": False}])
    return [
        "# Stalwart v0.12 to v0.15. Either over the management API, as an administrator (curl asks for the password):",
        "",
        f"curl -u admin {hook.server}/api/settings -H 'Content-Type: application/json' --data-binary @- <<'END'",
        body,
        "END",
        f"curl -u admin {hook.server}/api/reload",
        "",
        "# The reload must report no errors: with one, nothing at all is applied. A release that does not know an",
        "# event reports 'Unknown event type': leave that event out.",
        *CHANGES,
        "",
        "# Or in the server's configuration file, followed by a reload:",
        "",
        f"[webhook.{json.dumps(hook.name)}]",
        f"url = {json.dumps(hook.url)}",
        f"signature-key = {json.dumps(hook.key)}",
        f'throttle = "{THROTTLE_SECONDS}s"',
        f"events = [{', '.join(json.dumps(event) for event in events)}]",
    ]


def jmap_lines(hook: Hook) -> Sequence[str]:
    """Return the settings for servers from v0.16 on: requests for the management API."""
    create = {
        "url": hook.url,
        "eventsPolicy": "include",
        "events": dict.fromkeys(subscription(Generation.JMAP), True),
        "signatureKey": {"@type": "Value", "secret": hook.key},
        "throttle": 1000 * THROTTLE_SECONDS,
    }
    return [
        "# Stalwart v0.16 and newer, as an administrator (curl asks for the password):",
        "",
        *_jmap_call(hook, ["x:WebHook/set", {"create": {hook.name: create}}, "c0"]),
        *_jmap_call(hook, ["x:Action/set", {"create": {"reload": {"@type": "ReloadSettings"}}}, "c0"]),
        "",
        "# Both responses must contain 'created'. A release that does not know an event responds with 'Invalid key",
        "# for object property': leave that event out. If the reload fails, nothing is applied.",
        *CHANGES,
    ]


def _jmap_call(hook: Hook, call: object) -> Sequence[str]:
    body = json.dumps({"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"], "methodCalls": [call]})
    return [
        f"curl -u admin {hook.server}/jmap/ -H 'Content-Type: application/json' --data-binary @- <<'END'",
        body,
        "END",
    ]
