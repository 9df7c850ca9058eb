"""Conditions as kstatus and `kubectl wait` read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
ZONE_PUBLISHED = "ZonePublished"
RACKS_HEALTHY = "RacksHealthy"
EXTERNAL_DNS_PUBLISHED = "ExternalDNSPublished"
CONFIG_APPLIED = "ConfigApplied"
OVERLAP = "Overlapping"
ADDRESS_CONFLICT = "AddressConflict"
BALANCED = "Balanced"
RELAYED = "Relayed"

MAX_MESSAGE = 1024


@dataclass(frozen=True)
class Condition:
    """One condition without its time: when it changed is known only once it is compared with what was there.

    `alarming`: its Event is a Warning, because somebody should look.
    """

    type: str
    status: bool
    reason: str
    message: str
    alarming: bool = False


def ready(message: str) -> tuple[Condition, ...]:
    """The spec is applied."""
    return (Condition(READY, True, "Applied", message),)


def waiting(reason: str, message: str, alarming: bool = False) -> tuple[Condition, ...]:
    """The spec is not applied yet and will be without anybody's help, or once what is named exists."""
    return (
        Condition(READY, False, reason, message, alarming),
        Condition(RECONCILING, True, reason, message),
    )


def stalled(reason: str, message: str) -> tuple[Condition, ...]:
    """The spec cannot be applied until somebody changes what the message names."""
    return (
        Condition(READY, False, reason, message, alarming=True),
        Condition(STALLED, True, reason, message, alarming=True),
    )


def refused(problem: str) -> tuple[Condition, ...]:
    """A field cannot be used; `problem` names it and says why."""
    return stalled("InvalidSpec", f"{problem}; correct it, until then what was applied last stays")


def merge_conditions(
    wanted: Iterable[Condition], current: Iterable[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """The `conditions` list to write: sorted by type; a time changes only where the status does.

    `now` is RFC 3339 text.
    """
    before = {c["type"]: c for c in current}
    return [_merged(c, before.get(c.type, {}), generation, now) for c in sorted(wanted, key=lambda c: c.type)]


def read_condition(written: Mapping[str, Any]) -> Condition:
    """The condition that was written before, without its time."""
    return Condition(written["type"], written["status"] == "True", written["reason"], written["message"])


def transitions(wanted: Iterable[Condition], current: Iterable[Mapping[str, Any]]) -> list[Condition]:
    """The conditions whose status or reason differs from what was written before: what is worth an Event."""
    before = {c["type"]: (c["status"], c["reason"]) for c in current}
    return [c for c in wanted if before.get(c.type) != (str(c.status), c.reason)]


def _merged(wanted: Condition, before: Mapping[str, Any], generation: int, now: str) -> dict[str, Any]:
    status = str(wanted.status)
    unchanged = before.get("status") == status
    return {
        "type": wanted.type,
        "status": status,
        "reason": wanted.reason,
        "message": wanted.message[:MAX_MESSAGE],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if unchanged else now,
    }
