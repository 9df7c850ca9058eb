"""What rackrelay owns in a zone that somebody else runs: the names that Subnets have, and nothing besides. Pure.

A name belongs to rackrelay when it is the name of some network, such as 10-10-0-0--24: nobody else makes such names, so
it needs no marks on them. The apex with its SOA and name servers, and all other names, stay as their owner wants them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dns.rdatatype
import dns.zone

from rackrelay import names
from rackrelay.addresses import sort_addresses
from rackrelay.zone.parts import PART_BYTES, rrset_bytes
from rackrelay.zone.plan import ADDRESS_TYPES, RrsetKey, Zone

# A server that signs the zone adds these by itself, and takes them away.
SIGNATURES = frozenset({"RRSIG", "NSEC"})


@dataclass(frozen=True)
class Rrset:
    """The addresses of one name and type, sorted; of another type than A and AAAA only that it is there."""

    ttl_s: int
    addresses: tuple[str, ...] = ()


Content = Mapping[RrsetKey, Rrset]


@dataclass(frozen=True)
class Edit:
    """One rrset to replace: from what the server has to what it should have; None means no rrset."""

    key: RrsetKey
    before: Rrset | None
    after: Rrset | None

    @property
    def size_bytes(self) -> int:
        """About so many bytes of an UPDATE, whose prerequisite is what was there before."""
        sides = [side.addresses if side else () for side in (self.before, self.after)]
        return sum(rrset_bytes(self.key, addresses) for addresses in sides)


def find_own(parsed: dns.zone.Zone) -> Content:
    """What is rackrelay's in a zone, by (label in lower case, type)."""
    found: dict[RrsetKey, Rrset] = {}
    for name, rdataset in parsed.iterate_rdatasets():
        label, kind = name.to_text().lower(), dns.rdatatype.to_text(rdataset.rdtype)
        if not names.is_subnet_label(label) or kind in SIGNATURES:
            continue
        addresses = sort_addresses(rdata.to_text() for rdata in rdataset) if kind in ADDRESS_TYPES else ()
        found[(label, kind)] = Rrset(rdataset.ttl, tuple(str(address) for address in addresses))
    return found


def want(zone: Zone) -> Content:
    """What should be rackrelay's in the other zone."""
    return {key: Rrset(zone.ttl_s, addresses) for key, addresses in zone.rrsets.items()}


def plan_edits(served: Content, wanted: Content) -> tuple[Edit, ...]:
    """The edits that turn one into the other, removals first: a name that has a CNAME takes no address."""
    keys = {key for key in served.keys() | wanted.keys() if served.get(key) != wanted.get(key)}
    return tuple(Edit(key, served.get(key), wanted.get(key)) for key in sorted(keys, key=lambda k: (k in wanted, k)))


def cut_edits(edits: Iterable[Edit]) -> Iterator[Sequence[Edit]]:
    """The edits in order, in parts that each fit into one UPDATE."""
    part: list[Edit] = []
    size = 0
    for edit in edits:
        if part and size + edit.size_bytes > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(edit)
        size += edit.size_bytes
    if part:
        yield part
