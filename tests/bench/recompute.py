"""From racks and their tiers to the zone's names, for more racks than anybody has: the pure part of a change."""

import time
from dataclasses import replace
from ipaddress import IPv4Network, ip_address, ip_network

from rackrelay.model.meta import Meta
from rackrelay.model.subnet import Subnet
from rackrelay.zone.decision import Decision, decide
from rackrelay.zone.evidence import Judgement, Tier
from rackrelay.zone.rule import NO_FAULTS, RackView
from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import Workshop

RACKS = 10_000
RACKS_A_SUBNET = 2
BLOCK = ip_network("10.0.0.0/8")
SICK_EVERY = 50


def run(workshop: Workshop) -> list[Result]:
    """The median time to decide the zone after one rack changed, and without knowing what was decided before."""
    count = workshop.scale(RACKS, 100)
    subnets, racks = build_subnets(count // RACKS_A_SUBNET), build_racks(count)
    whole, changed = [], []
    for _ in range(workshop.runs(5)):
        took_ms, before = _time(subnets, racks)
        whole.append(took_ms)
        # As the operator has them: every view is a new object, one of them of another tier.
        views = [replace(rack) for rack in racks]
        views[1] = replace(views[1], judgement=Judgement(Tier.UNREACHABLE, "NoAnswer", "silent"))
        took_ms, after = _time(subnets, views, before)
        changed.append(took_ms)
        if len(before.rrsets) != len(subnets) or after.rrsets == before.rrsets:
            raise RuntimeError("a subnet has no name, or the rack did not leave its own")
    name = f"{count:,} racks in {len(subnets):,} subnets"
    return [
        of_runs(f"recompute of the zone after a rack changed, {name}", changed, "ms", Goal(at_most=25)),
        of_runs(f"recompute of the whole zone, as at an operator's start, {name}", whole, "ms", Goal()),
    ]


def _time(subnets: list[Subnet], racks: list[RackView], before: Decision | None = None) -> tuple[float, Decision]:
    """Milliseconds, and what was decided."""
    began = time.perf_counter()
    decision = decide(subnets, racks, NO_FAULTS, before)
    return 1000 * (time.perf_counter() - began), decision


def build_subnets(count: int) -> list[Subnet]:
    """So many /24 networks."""
    return [Subnet(Meta("bench", f"subnet{number}"), _network(number)) for number in range(count)]


def build_racks(count: int) -> list[RackView]:
    """So many racks, RACKS_A_SUBNET in each subnet, every fiftieth of them degraded."""
    return [_rack(number) for number in range(count)]


def _rack(number: int) -> RackView:
    network = _network(number // RACKS_A_SUBNET)
    address = ip_address(int(network.network_address) + 2 + number % RACKS_A_SUBNET)
    sick = number % SICK_EVERY == 0
    judgement = Judgement(Tier.DEGRADED, "DaemonFailing", "squid: no answer") if sick else Judgement(Tier.HEALTHY)
    return RackView(f"rack{number}", (address,), judgement)


def _network(number: int) -> IPv4Network:
    return IPv4Network((int(BLOCK.network_address) + 256 * number, 24))
