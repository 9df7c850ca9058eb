"""What is wrong with single addresses of racks: their interface has no carrier, or peers do not hear them there. Pure.

A rack can be well and its cable to one subnet cut. `records` takes the faults from here.
"""

from collections.abc import Iterable, Mapping

from rackrelay.addresses import Address
from rackrelay.zone.damping import DampingState, damp, record
from rackrelay.zone.evidence import HEALTHY, Judgement, Tier

NO_CARRIER = Judgement(
    Tier.UNREACHABLE, "NoCarrier", "its interface to this subnet has no carrier; check its cable and switch port"
)
NOT_HEARD_BY_PEERS = Judgement(
    Tier.DEGRADED,
    "NotHeardByPeers",
    "the other racks of this subnet do not hear it there; check its cable and switch port",
)


# A link is taken to have been whole until its first fault, which so counts as a fall.
_NEVER_ILL = DampingState(good_since=float("-inf"))


def find_faults(unplugged: Iterable[Address], cut_off: Iterable[Address]) -> dict[Address, Judgement]:
    """Address -> what is wrong with it at this moment."""
    return dict.fromkeys(cut_off, NOT_HEARD_BY_PEERS) | dict.fromkeys(unplugged, NO_CARRIER)


def record_links(
    pasts: Mapping[Address, DampingState], faults: Mapping[Address, Judgement], now: float
) -> dict[Address, DampingState]:
    """The past of each address that has had a fault lately, with this moment in it."""
    observed = {a: record(pasts.get(a, _NEVER_ILL), faults.get(a, HEALTHY), now) for a in pasts.keys() | faults.keys()}
    return {a: past for a, past in observed.items() if past.falls or a in faults}


def damp_faults(
    pasts: Mapping[Address, DampingState], faults: Mapping[Address, Judgement], now: float
) -> dict[Address, Judgement]:
    """Address -> what to act on: a link that flaps does not do so in DNS."""
    judged = {a: damp(past, faults.get(a, HEALTHY), now) for a, past in pasts.items()}
    return {a: judgement for a, judgement in judged.items() if judgement != HEALTHY} | dict(faults)


def settles_at(pasts: Mapping[Address, DampingState], now: float) -> float | None:
    """When the next address counts as whole again if nothing happens; None when none is waited for."""
    ends = [past.good_since + past.hold_s for past in pasts.values() if past.good_since is not None]
    return min((end for end in ends if end > now), default=None)
