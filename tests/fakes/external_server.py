"""A name server of somebody else's, with records of its owner's own, that takes UPDATEs without a SOA in them."""

from collections.abc import Callable
from dataclasses import replace

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.update

from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone
from tests.fakes.name_server import FakeNameServer

OWNERS = {("@", "NS"): (3600, ("ns1.corp.example.",)), ("printer", "A"): (60, ("10.1.2.3",))}
Records = dict[tuple[str, str], tuple[int, tuple[str, ...]]]


class FakeExternal(FakeNameServer):
    """`records`: (label, type) -> TTL and texts, all but the SOA. It raises its serial with each UPDATE.

    `refuses`: what it refuses of UPDATE, AXFR and SOA. `before_update` is called when an UPDATE has come.
    """

    def __init__(
        self, domain: str, key: TsigKey, address: str = "127.0.0.1", port: int = 0, serial: int = 2026112201
    ) -> None:
        super().__init__(Zone(domain, 3600, serial), key, address, port)
        self.records: Records = dict(OWNERS)
        self.refuses: set[str] = set()
        self.before_update: Callable[[], object] = bool

    def names(self) -> dict[str, tuple[str, ...]]:
        """Label -> addresses of everything but what its owner had at first."""
        return {label: texts for (label, kind), (_, texts) in self.records.items() if (label, kind) not in OWNERS}

    def write(self, label: str, kind: str, *texts: str, ttl_s: int = 60) -> None:
        """What somebody else does; no texts delete."""
        self.records.pop((label, kind), None)
        if texts:
            self.records[(label, kind)] = (ttl_s, texts)
        self.zone = replace(self.zone, serial=self.zone.serial + 1)

    def _look_up(self, query: dns.message.Message, answer: dns.message.Message) -> None:
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        if kind in self.refuses:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        apex = f"{self.zone.domain}."
        text = f"ns1.corp.example. hostmaster.corp.example. {self.zone.serial} 1 2 3 4"
        soa = dns.rrset.from_text(apex, 3600, "IN", "SOA", text)
        if kind == "AXFR":
            self.record.transfers += 1
            answer.answer = [soa, *(self._rrset(*key) for key in self.records), soa]
        else:
            self.record.queries += 1
            answer.answer = [soa]

    def _rrset(self, label: str, kind: str) -> dns.rrset.RRset:
        ttl_s, texts = self.records[(label, kind)]
        origin = dns.name.from_text(self.zone.domain)
        name = dns.name.from_text(label, None).derelativize(origin) if label != "@" else origin
        return dns.rrset.from_text_list(name, ttl_s, "IN", kind, texts)

    def _update(self, query: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        self.before_update()
        if "UPDATE" in self.refuses:
            return dns.rcode.REFUSED
        exact: dict[tuple[str, str], set[str]] = {}
        for wanted in query.prerequisite:
            key = self._key(wanted)
            if wanted.deleting == dns.rdataclass.NONE and key in self.records:
                return dns.rcode.YXRRSET
            if wanted.deleting == dns.rdataclass.ANY and key not in self.records:
                return dns.rcode.NXRRSET
            if wanted.deleting is None:
                exact.setdefault(key, set()).update(rdata.to_text() for rdata in wanted)
        if any(set(self.records.get(key, (0, ()))[1]) != texts for key, texts in exact.items()):
            return dns.rcode.NXRRSET
        for change in query.update:
            key = self._key(change)
            if change.deleting == dns.rdataclass.ANY:
                self.records.pop(key, None)
            else:
                before = self.records.get(key, (0, ()))[1]
                self.records[key] = (change.ttl, tuple(sorted({*before, *(rdata.to_text() for rdata in change)})))
        self.zone = replace(self.zone, serial=self.zone.serial + 1)
        return dns.rcode.NOERROR

    def _key(self, rrset: dns.rrset.RRset) -> tuple[str, str]:
        label = rrset.name.relativize(dns.name.from_text(self.zone.domain)).to_text()
        return label, dns.rdatatype.to_text(rrset.rdtype)
