"""The zone rule: which racks a subnet's name answers with.

Pure. Takes racks with their tiers and addresses, gives one answer per subnet and the zone's names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rackrelay import names
from rackrelay.addresses import Address, Network, order_of
from rackrelay.zone.cables import Cable
from rackrelay.zone.claims import Claim, Dispute, find_disputes
from rackrelay.zone.evidence import Judgement, Tier

Rrsets = dict[tuple[str, str], tuple[str, ...]]
Faults = Mapping[Address, Judgement]

NO_FAULTS: Faults = {}


@dataclass(frozen=True)
class RackView:
    """A rack with the addresses that count, in the order in which its agent reports them.

    `claims`: address -> its place in the order in which racks came to have theirs. `cables`: the addresses of each
    interface that has some of both families, whether or not they count. `unplugged`: addresses on interfaces without
    a carrier, whether or not they count.
    """

    name: str
    addresses: tuple[Address, ...]
    judgement: Judgement
    claims: Mapping[Address, int] = field(default_factory=dict)
    cables: tuple[Cable, ...] = ()
    unplugged: frozenset[Address] = frozenset()


@dataclass(frozen=True)
class Member:
    """One rack of one subnet."""

    name: str
    addresses: tuple[Address, ...]
    judgement: Judgement


@dataclass(frozen=True)
class Answer:
    """What a subnet's name answers, and the racks behind the choice. `tier` is None when there is no rack.

    `ignored`: addresses of racks in a relayed subnet, whose name answers with those of another subnet all the same.
    `disputes`: addresses that several racks have; they are the holder's alone, and a rack with no other is no member.
    `twins`: the addresses of the other family on the same cable, which the name gives besides.
    """

    addresses: tuple[Address, ...] = ()
    members: tuple[Member, ...] = ()
    tier: Tier | None = None
    ignored: tuple[Address, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    twins: tuple[Address, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether a rack that is meant to be used is known to be in reach."""
        return self.tier is not None and self.tier <= Tier.DEGRADED

    @property
    def fail_open(self) -> bool:
        """Whether the name keeps racks that nobody can confirm, because none is better."""
        return self.tier is Tier.UNREACHABLE


def build_rrsets(answers: Mapping[Network, Answer], managed: Iterable[Network]) -> Rrsets:
    """(label, A or AAAA) -> sorted addresses, for the managed subnets that have an address."""
    rrsets: Rrsets = {}
    for network in managed:
        answer = answers[network]
        for addresses in (answer.addresses, answer.twins):
            if addresses:
                kind = "A" if addresses[0].version == 4 else "AAAA"
                rrsets[(names.subnet_label(network), kind)] = tuple(str(a) for a in addresses)
    return rrsets


def on_subnet(rack: Member, faults: Faults) -> Member:
    """The rack with the best addresses that it has there, as good as they are."""
    if faults.keys().isdisjoint(rack.addresses):
        return rack
    whole = tuple(a for a in rack.addresses if a not in faults)
    if whole:
        return replace(rack, addresses=whole)
    best = min(faults[a].tier for a in rack.addresses)
    addresses = tuple(a for a in rack.addresses if faults[a].tier is best)
    return Member(rack.name, addresses, max(rack.judgement, faults[addresses[0]], key=lambda j: j.tier))


def answer_subnet(found: Sequence[Member], claims: Mapping[str, Mapping[Address, int]]) -> Answer:
    """What one subnet's name answers. `found`: the racks that have addresses there, by name; `claims`: theirs."""
    if not found:
        return Answer()
    disputes = _find_disputes(found, claims)
    members = tuple(_without_disputed(found, disputes)) if disputes else tuple(found)
    chosen = _chosen_tiers(members)
    addresses = {a for m in members if m.judgement.tier in chosen for a in m.addresses}
    return Answer(tuple(sorted(addresses, key=order_of)), members, min(chosen), disputes=disputes)


def _find_disputes(found: Sequence[Member], claims: Mapping[str, Mapping[Address, int]]) -> tuple[Dispute, ...]:
    addresses = [a for m in found for a in m.addresses]
    if len(set(addresses)) == len(addresses):
        # Nearly always.
        return ()
    by_address: dict[Address, set[Claim]] = {}
    for member in found:
        reachable = member.judgement.tier is not Tier.UNREACHABLE
        for address in member.addresses:
            claim = Claim(member.name, reachable, claims[member.name].get(address, 0))
            by_address.setdefault(address, set()).add(claim)
    return tuple(sorted(find_disputes(by_address), key=lambda d: order_of(d.address)))


def _without_disputed(found: Sequence[Member], disputes: Sequence[Dispute]) -> Iterator[Member]:
    lost = {(rack, dispute.address) for dispute in disputes for rack in dispute.others}
    for member in found:
        kept = tuple(a for a in member.addresses if (member.name, a) not in lost)
        if kept:
            yield replace(member, addresses=kept)


def _chosen_tiers(members: tuple[Member, ...]) -> frozenset[Tier]:
    """The best non-empty tier; with degraded racks counted in while fewer than half of those in use are healthy.

    Otherwise one failing daemon that many racks share would send every machine to the one survivor.
    """
    tiers = [m.judgement.tier for m in members]
    best = min(tiers)
    in_use = [t for t in tiers if t <= Tier.DEGRADED]
    if in_use and 2 * in_use.count(Tier.HEALTHY) < len(in_use):
        return frozenset({Tier.HEALTHY, Tier.DEGRADED}) & frozenset(tiers)
    return frozenset({best})
