"""What is rackrelay's in somebody else's zone, and the edits that put it right."""

import dns.zone
import pytest

from rackrelay.nameservers.external import External, build_update
from rackrelay.nameservers.server import NameServer
from rackrelay.zone.external_plan import Edit, Rrset, cut_edits, find_own, plan_edits, want
from rackrelay.zone.plan import Zone
from tests import gen

TEXT = """
@ 3600 SOA ns1 hostmaster 7 1 2 3 4
@ 3600 NS ns1
@ 3600 A 192.0.2.1
ns1 3600 A 192.0.2.53
printer 60 A 10.1.2.3
www 60 CNAME printer
a.10-10-0-0--24 60 A 10.1.2.4
10-10-0-0--24 15 A 10.10.0.10
10-10-0-0--24 15 A 10.10.0.9
10-10-0-0--24 15 RRSIG A 13 4 15 20270101000000 20260101000000 1 @ aaaa
10-20-0-0--24 15 CNAME printer
10-10-0-7--24 15 A 10.10.0.9
2001-DB8----64 30 AAAA 2001:DB8:0:0::2
"""
A, AAAA = Rrset(15, ("10.10.0.9", "10.10.0.10")), Rrset(30, ("2001:db8::2",))


def test_names_of_networks_are_ours_and_all_others_are_not() -> None:
    parsed = dns.zone.from_text(TEXT, origin="maas-internal.")
    assert find_own(parsed) == {
        ("10-10-0-0--24", "A"): A,
        ("10-20-0-0--24", "CNAME"): Rrset(15),
        ("2001-db8----64", "AAAA"): AAAA,
    }


@pytest.mark.parametrize(
    ("served", "wanted", "edits"),
    [
        pytest.param({("a", "A"): A}, {("a", "A"): A}, [], id="the same"),
        pytest.param({}, {("a", "A"): A}, [Edit(("a", "A"), None, A)], id="a name comes"),
        pytest.param({("a", "A"): A}, {}, [Edit(("a", "A"), A, None)], id="a name goes"),
        pytest.param(
            {("a", "A"): Rrset(60, A.addresses)},
            {("a", "A"): A},
            [Edit(("a", "A"), Rrset(60, A.addresses), A)],
            id="another TTL",
        ),
        pytest.param(
            {("z", "CNAME"): Rrset(15)},
            {("z", "A"): A},
            [Edit(("z", "CNAME"), Rrset(15), None), Edit(("z", "A"), None, A)],
            id="what stands in the way goes first",
        ),
    ],
)
def test_plan_edits(
    served: dict[tuple[str, str], Rrset], wanted: dict[tuple[str, str], Rrset], edits: list[Edit]
) -> None:
    assert list(plan_edits(served, wanted)) == edits


def test_parts_hold_every_edit_once_and_fit_into_a_message() -> None:
    place = External(NameServer("", "", "127.0.0.1", 53), gen.DOMAIN, gen.KEY)
    texts = [f"2001-db8-aaaa-bbbb-cccc-dddd-eeee-{i:x}--112" for i in range(2000)]
    before, after = (
        {(t, "AAAA"): tuple(f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{r + first:x}" for r in range(9)) for t in texts}
        for first in (4096, 5000)
    )
    edits = plan_edits(want(Zone(gen.DOMAIN, 15, 1, before)), want(Zone(gen.DOMAIN, 15, 1, after)))
    parts = list(cut_edits(edits))
    assert [edit for part in parts for edit in part] == list(edits)
    assert len(parts) > 10
    sizes = [len(build_update(place, part).to_wire(max_size=2**20)) for part in parts]
    assert max(sizes) <= 2**15
    assert min(sizes[:-1]) > 2**14, "parts are not smaller than they need be"
