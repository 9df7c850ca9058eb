"""The zone rule for all subnets of a region: what each name answers, computed anew only where something changed.

Pure: what was decided before is an argument. `records` has the rule for one subnet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rackrelay import names
from rackrelay.addresses import Network, order_of
from rackrelay.model.subnet import Subnet
from rackrelay.zone.layout import Layout, Relay, lay_out
from rackrelay.zone.rule import (
    NO_FAULTS,
    Answer,
    Faults,
    Member,
    RackView,
    Rrsets,
    answer_subnet,
    build_rrsets,
    on_subnet,
)

Answers = Mapping[Network, Answer]


@dataclass(frozen=True)
class Decision:
    """What names answer, and what that was decided by. `answers`: one for each subnet; `rrsets`: those of the zone.

    `own`: the answers of subnets with racks of their own, by themselves.
    """

    subnets: tuple[Subnet, ...]
    racks: tuple[RackView, ...]
    faults: Faults
    layout: Layout
    own: Answers = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    rrsets: Rrsets = field(default_factory=dict)


def decide(
    subnets: Sequence[Subnet], racks: Iterable[RackView], faults: Faults = NO_FAULTS, before: Decision | None = None
) -> Decision:
    """The Decision, the same whatever was decided before.

    A relayed subnet has the answer of the one that serves it. `faults`: what is wrong with single addresses (`links`).
    """
    subnets, racks = tuple(subnets), tuple(racks)
    changed = None if before is None else _find_changed(before, subnets, racks)
    if before is None or changed is None:
        layout = lay_out(subnets, racks)
        return _redecide(Decision(subnets, racks, faults, layout), frozenset(layout.residents))
    touched = {network for place in changed for network in before.layout.networks[place]} | _faulted(before, faults)
    return _redecide(replace(before, racks=racks, faults=faults), frozenset(touched))


def answer_subnets(
    subnets: Sequence[Subnet], racks: Iterable[RackView], faults: Faults = NO_FAULTS
) -> Mapping[Network, Answer]:
    """One Answer for each subnet."""
    return decide(subnets, racks, faults).answers


def _find_changed(before: Decision, subnets: tuple[Subnet, ...], racks: tuple[RackView, ...]) -> list[int] | None:
    """The places of racks that are not as they were; None when the layout is another."""
    if subnets != before.subnets or len(racks) != len(before.racks):
        return None
    pairs = zip(before.racks, racks, strict=True)
    changed = [place for place, (old, new) in enumerate(pairs) if old is not new and old != new]
    alike = all(_where(before.racks[place]) == _where(racks[place]) for place in changed)
    return changed if alike else None


def _where(rack: RackView) -> object:
    return (rack.name, rack.addresses, rack.cables)


def _faulted(before: Decision, faults: Faults) -> set[Network]:
    """The subnets of addresses of which something else is known than before."""
    addresses = {a for a in before.faults.keys() | faults.keys() if before.faults.get(a) != faults.get(a)}
    return {network for a in addresses if (network := before.layout.index.find(a)) is not None}


def _redecide(case: Decision, touched: frozenset[Network]) -> Decision:
    """The Decision with the answers of these subnets anew, and of those that depend on them."""
    layout = case.layout
    fresh = {network: _answer(case, network) for network in touched}
    own = {**case.own, **fresh}
    joined = [n for n, twins in layout.twins.items() if n in touched or not twins.isdisjoint(touched)]
    fresh |= {network: _with_twins(layout, network, own) for network in joined}
    due = {n: relay for n, relay in layout.relays.items() if relay.server in touched or n not in case.answers}
    fresh |= {network: _relayed(relay, own) for network, relay in due.items()}
    answers = {**case.answers, **fresh}
    return replace(case, own=own, answers=answers, rrsets=_rename(case.rrsets, layout, fresh))


def _answer(case: Decision, network: Network) -> Answer:
    there = [(case.racks[resident.place], resident.addresses) for resident in case.layout.residents[network]]
    members = [on_subnet(Member(rack.name, addresses, rack.judgement), case.faults) for rack, addresses in there]
    return answer_subnet(members, {rack.name: rack.claims for rack, _ in there})


def _with_twins(layout: Layout, network: Network, own: Answers) -> Answer:
    """The answer with addresses of the other family, which it gets from subnets where racks serve."""
    answer = own[network]
    if not answer.addresses:
        return answer
    addresses = {a for other in layout.twins[network] if own[other].serves for a in own[other].addresses}
    return replace(answer, twins=tuple(sorted(addresses, key=order_of)))


def _relayed(relay: Relay, own: Answers) -> Answer:
    return replace(own[relay.server] if relay.server else Answer(), ignored=relay.ignored)


def _rename(before: Rrsets, layout: Layout, fresh: Answers) -> Rrsets:
    """The zone's names with those of these subnets anew."""
    labels = {names.subnet_label(network) for network in fresh}
    kept = {key: addresses for key, addresses in before.items() if key[0] not in labels}
    return kept | build_rrsets(fresh, [network for network in fresh if network in layout.managed])
