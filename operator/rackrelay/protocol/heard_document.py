"""What a region replica hears of racks, as its agent answers at /heard."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rackrelay.protocol.status_document import AgentStatus, parse_agent_status


@dataclass(frozen=True)
class HeardRack:
    """What a region replica heard of one rack. `status` is None when it sent none that can be read."""

    heard: bool
    serial: int | None = None
    status: AgentStatus | None = None


@dataclass(frozen=True)
class Cursor:
    """How far one has followed what a region replica hears; the default is not at all."""

    version: int = 0
    epoch: str = ""


@dataclass(frozen=True)
class Heard:
    """What a region replica heard since a Cursor: of all racks when it is `full`, else of those that changed."""

    version: int
    epoch: str
    full: bool
    racks: Mapping[str, HeardRack] = field(default_factory=dict)

    @property
    def cursor(self) -> Cursor:
        """Where to go on."""
        return Cursor(self.version, self.epoch)


def parse_heard(document: Mapping[str, Any]) -> Heard:
    """Heard from the JSON document that a region's agent answers at /heard.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: the document is not of the agreed form.
    """
    racks = {name: _parse_beat(entry) for name, entry in document["racks"].items()}
    return Heard(int(document["version"]), str(document["epoch"]), bool(document["full"]), racks)


def _parse_beat(entry: Mapping[str, Any]) -> HeardRack:
    try:
        status = parse_agent_status(entry["status"]) if entry["status"] else None
    except (KeyError, ValueError, TypeError, AttributeError):
        # One rack of another release must not hide what is heard of all the others.
        status = None
    return HeardRack(bool(entry["heard"]), entry["serial"], status)
