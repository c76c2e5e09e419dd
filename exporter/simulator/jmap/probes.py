"""The two actions that test the server; their result is in the place of a created object."""

from __future__ import annotations

from exporter.simulator.common.probes import authentication
from exporter.simulator.jmap.wire import Json
from exporter.simulator.world.mail.diagnosis import classify
from exporter.simulator.world.world import World

PROBES = {
    "ClassifySpam": ("message", "remoteIp", "ehloDomain", "envFrom"),
    "TroubleshootDmarc": ("remoteIp", "ehloDomain", "spfEhloDomain", "spfMailFromDomain"),
}
"""The members that each requires."""


def probed(world: World, kind: str, wanted: Json) -> Json:
    """Return the result of a probe."""
    if kind == "ClassifySpam":
        score, result = classify(str(wanted["message"]))
        # The disposition of a tag without a score means nothing.
        return {"score": score, "tags": {"ARC_NA": {"score": 0.0, "disposition": "reject"}}, "result": result}
    found = authentication(world, str(wanted.get("mailFrom") or ""), str(wanted["remoteIp"]))
    return {
        "spfEhloDomain": wanted["ehloDomain"],
        "spfEhloResult": {"@type": "None"},
        "spfMailFromDomain": found["domain"],
        "spfMailFromResult": {"@type": found["spf"].capitalize()},
        "ipRevResult": {"@type": found["iprev"].capitalize()},
        "ipRevPtr": {f"{wanted['ehloDomain']}.": True},
        "dkimResults": {},
        "dkimPass": False,
        "arcResult": {"@type": "None"},
        "dmarcResult": {"@type": "Pass" if found["passes"] else "None"},
        "dmarcPass": found["passes"],
        "dmarcPolicy": "reject",
        "elapsed": 3,
    }
