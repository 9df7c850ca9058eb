"""From racks and their tiers to the zone's names, for more racks than anybody has: the pure part of a change."""

import time
from ipaddress import IPv4Network, ip_address, ip_network

from rackrelay.model.meta import Meta
from rackrelay.model.subnet import Subnet
from rackrelay.zone.evidence import Judgement, Tier
from rackrelay.zone.records import RackView, Rrsets, answer_subnets, build_rrsets
from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import Workshop

RACKS = 10_000
RACKS_A_SUBNET = 2
BLOCK = ip_network("10.0.0.0/8")
SICK_EVERY = 50


def run(workshop: Workshop) -> list[Result]:
    """The median time to compute the whole zone anew, as every change of a rack does."""
    count = workshop.scale(RACKS, 100)
    subnets, racks = build_subnets(count // RACKS_A_SUBNET), build_racks(count)
    times, rrsets = [], {}
    for _ in range(workshop.runs(5)):
        began = time.perf_counter()
        rrsets = compute(subnets, racks)
        times.append(1000 * (time.perf_counter() - began))
    if len(rrsets) != len(subnets):
        raise RuntimeError(f"{len(rrsets)} of {len(subnets)} subnets have a name")
    name = f"recompute of the zone, {count:,} racks in {len(subnets):,} subnets"
    return [of_runs(name, times, "ms", Goal(at_most=25))]


def compute(subnets: list[Subnet], racks: list[RackView]) -> Rrsets:
    """What the zone should hold."""
    return build_rrsets(answer_subnets(subnets, racks), [subnet.cidr for subnet in subnets])


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
