"""All benches, in the order in which they run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import failover, footprint, heartbeats, install, recompute
from tests.bench.result import Result
from tests.bench.scale import operator, withdrawals
from tests.bench.workshop import Workshop
from tests.bench.zone import answers, visible


@dataclass(frozen=True)
class Bench:
    """One bench; `needs` tells a person what it brings up."""

    name: str
    needs: str
    about: str
    run: Callable[[Workshop], Sequence[Result]]


BENCHES = (
    Bench("failover", "lab", "a rack fails, until no other rack's answer has it", failover.run),
    Bench("footprint", "lab", "memory of operator and agents, processor time of an idle operator", footprint.run),
    Bench("install", "lab", "helm install to the first machine served", install.run),
    Bench("visible", "data-plane image", "a change of the zone at 20 and 100 racks, beside BIND and MAAS", visible.run),
    Bench("answers", "data-plane image", "answers a second of a rack whose zone changes", answers.run),
    Bench("recompute", "", "10,000 racks simulated by records: the zone's names computed anew", recompute.run),
    Bench("heartbeats", "", "a region's agent that hears 1,000 fake racks", heartbeats.run),
    Bench("operator", "API server", "the operator at 1,000 fake racks and 500 subnets", operator.run),
    Bench("withdrawals", "API server", "1,000 fake racks, 1 % of packets lost, nobody fails", withdrawals.run),
)
