"""The zone as it is published, as text and as the difference between two versions. Pure but for dnspython's parsing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import dns.exception
import dns.rdatatype
import dns.zone

from rackrelay import names
from rackrelay.addresses import sort_addresses
from rackrelay.errors import Conflict, InvalidSpec
from rackrelay.zone.rule import Rrsets

MAX_SERIAL = 2**31 - 1
# Nobody changes a zone so often while a ConfigMap is lost: a serial further ahead than this was never ours.
MAX_LEAD = 2**24
# By the version of IP.
ADDRESS_TYPES = {"A": 4, "AAAA": 6}
RrsetKey = tuple[str, str]


@dataclass(frozen=True)
class Zone:
    """One version of the internal zone. Names in `rrsets` are relative to the domain.

    `timers` are the last four fields of the SOA; a server that another release has set up may have others. `foreign`:
    names and types that we never make so, of another type or with another TTL; none in a zone that is to be published.
    """

    domain: str
    ttl_s: int
    serial: int
    rrsets: Rrsets = field(default_factory=dict)
    timers: str = field(default=names.SOA_TIMERS, compare=False)
    foreign: frozenset[RrsetKey] = frozenset()

    @property
    def soa(self) -> str:
        """The SOA's data."""
        return f"localhost. hostmaster.{self.domain}. {self.serial} {self.timers}"

    @property
    def digest(self) -> str:
        """16 hex digits over the content, whatever its serial."""
        return hashlib.sha256(repr((self.domain, self.ttl_s, sorted(self.rrsets.items()))).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Change:
    """What turns one version into the next: the rrsets to set, in this order; an empty one is deleted."""

    old: Zone
    new: Zone
    rrsets: Mapping[tuple[str, str], tuple[str, ...]]


def plan_change(old: Zone, new: Zone) -> Change:
    """The Change from old to new.

    Raises:
        Conflict: the new serial is not greater. BIND would apply the content and choose a serial of its own.
    """
    if new.serial <= old.serial:
        raise Conflict(f"serial {new.serial} does not follow {old.serial} of zone {old.domain}")
    keys = old.rrsets.keys() | new.rrsets.keys() | old.foreign
    if old.ttl_s == new.ttl_s:
        keys = {k for k in keys if k in old.foreign or new.rrsets.get(k) != old.rrsets.get(k)}
    # What goes comes first: BIND ignores an address that is added to a name while that still has a CNAME.
    order = sorted(keys, key=lambda k: (k in new.rrsets, k))
    return Change(old, new, {k: new.rrsets.get(k, ()) for k in order})


def next_serial(*seen: int, step: int = 1) -> int:
    """A serial that is `step` greater than every one that any server or the ConfigMap has shown.

    Raises:
        InvalidSpec: the serials have run out (RFC 1982 wrapping is not used: 2^31 changes are enough).
    """
    serial = max(seen, default=0) + step
    if serial > MAX_SERIAL:
        raise InvalidSpec("status.zone.serial", "the zone's serial has run out; use another spec.domain")
    return serial


def is_plausible(serial: int, newest: int) -> bool:
    """Whether a serial that a server shows can be one of ours, when `newest` is the greatest that we know of.

    Another one must not be overtaken: it would use up the serials of all, or there is none above it.
    """
    return serial <= max(newest, min(newest + MAX_LEAD, MAX_SERIAL - MAX_LEAD))


def zone_text(zone: Zone) -> str:
    """The zone as a master file with absolute names (RFC 1035 section 5)."""
    lines = [
        f"{zone.domain}. {zone.ttl_s} IN SOA {zone.soa}",
        f"{zone.domain}. {zone.ttl_s} IN NS localhost.",
    ]
    for (label, kind), addresses in sorted(zone.rrsets.items()):
        lines += [f"{label}.{zone.domain}. {zone.ttl_s} IN {kind} {address}" for address in addresses]
    return "\n".join(lines) + "\n"


def parse_zone_text(text: str, domain: str) -> Zone:
    """The Zone that `zone_text` wrote.

    Raises:
        InvalidSpec: the text is not such a zone; the ConfigMap was changed by hand.
    """
    try:
        quick = _parse_own(text, domain)
        if quick is not None and zone_text(quick) == text:
            return quick
        return zone_of(dns.zone.from_text(text, origin=f"{domain}.", check_origin=True), domain)
    except (dns.exception.DNSException, ValueError, KeyError) as error:
        raise InvalidSpec("data.zone", f"not the zone {domain}: {error}") from error


def zone_of(parsed: dns.zone.Zone, domain: str) -> Zone:
    """The Zone that a parsed or transferred zone holds."""
    apex = parsed.find_rdataset("@", "SOA")
    rrsets: Rrsets = {}
    foreign: set[RrsetKey] = set()
    for name, rdataset in parsed.iterate_rdatasets():
        key = (name.to_text(), dns.rdatatype.to_text(rdataset.rdtype))
        if key in (("@", "SOA"), ("@", "NS")):
            continue
        if key[1] not in ADDRESS_TYPES:
            foreign.add(key)
            continue
        rrsets[key] = tuple(str(a) for a in sort_addresses(rdata.to_text() for rdata in rdataset))
        if rdataset.ttl != apex.ttl:
            foreign.add(key)
    soa = apex[0]
    timers = f"{soa.refresh} {soa.retry} {soa.expire} {soa.minimum}"
    return Zone(domain, apex.ttl, soa.serial, rrsets, timers, frozenset(foreign))


def _parse_own(text: str, domain: str) -> Zone | None:
    """What the text says if `zone_text` wrote it, which writing it again proves; a hundred times faster than a parser
    of master files."""
    lines = [line.split(" ") for line in text.splitlines()]
    if len(lines) < 2 or len(lines[0]) != 11 or any(len(line) != 5 for line in lines[1:]):
        return None
    found: dict[RrsetKey, list[str]] = {}
    for name, _, _, kind, address in lines[2:]:
        found.setdefault((name.removesuffix(f".{domain}."), kind), []).append(address)
    rrsets: Rrsets = {}
    for key, texts in found.items():
        version = ADDRESS_TYPES.get(key[1])
        addresses = sort_addresses(texts) if version else ()
        if not addresses or any(address.version != version for address in addresses):
            return None
        rrsets[key] = tuple(str(address) for address in addresses)
    head = lines[0]
    return Zone(domain, int(head[1]), int(head[6]), rrsets, " ".join(head[7:]))
